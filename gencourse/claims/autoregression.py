"""Claims of chapter 01: PixelCNN, PixelRNN and WaveNet."""

from gencourse.claims.ledger import open_claim

NOTEBOOK = "01_autoregression"

open_claim(
    "AR1",
    NOTEBOOK,
    notes="P(image) = ∏ᵢ P(pixelᵢ | pixel₁, …, pixelᵢ₋₁).",
    says="The product of the conditionals is a distribution: it sums to one.",
    measured_by="the sum of the probabilities of all small images",
)
open_claim(
    "AR2",
    NOTEBOOK,
    notes="Model the conditional distribution of each pixel given the previously generated pixels.",
    says="A pixel's prediction depends on earlier pixels only.",
    measured_by="gradients of every prediction with respect to every pixel",
)
open_claim(
    "AR3",
    NOTEBOOK,
    notes="Each pixel depends on all the pixels 1 to i−1 generated before it.",
    says="The Diagonal BiLSTM and two stacks see the whole past; one masked stack has a blind spot.",
    measured_by="receptive fields, counted by gradient",
)
open_claim(
    "AR4",
    NOTEBOOK,
    notes="The likelihood of any given image can be computed directly and exactly.",
    says="The exact likelihood of unseen digits beats that of every baseline.",
    measured_by="nats on test images",
)
open_claim(
    "AR5",
    NOTEBOOK,
    notes="High-quality local structure: correlations between neighbouring pixels are caught well.",
    says="Small patches of the samples are nearly as close to the data as those of real digits.",
    measured_by="frequencies of 2×2 to 4×4 patches, samples against data",
)
open_claim(
    "AR6",
    NOTEBOOK,
    notes="Extremely slow generation: an image takes thousands of forward passes, one after the other.",
    says="Generation takes one pass a pixel, and is far slower than one pass an image.",
    measured_by="passes and seconds, beside models of one pass",
)
open_claim(
    "AR7",
    NOTEBOOK,
    notes="The passes are sequential, and their cost is very high.",
    says="Caches change the cost and not the samples; the time still grows about in proportion to the pixels.",
    measured_by="equality of the samples; seconds; growth with the size of the image",
)
open_claim(
    "AR8",
    NOTEBOOK,
    notes="WaveNet is the same idea as PixelRNN: one audio sample at a time, each given all before it.",
    says="On sound the same chain is a distribution too, under the same contract.",
    measured_by="the sum of the probabilities of all short sequences; gradients",
)
open_claim(
    "AR9",
    NOTEBOOK,
    notes="Causal dilated convolutions extend the receptive field greatly.",
    says="With dilation the context grows exponentially with depth, at linear cost.",
    measured_by="receptive field by gradient; operations counted",
)
open_claim(
    "AR10",
    NOTEBOOK,
    notes="Looking back over a long past is essential to catch the long-range dependence of audio.",
    says="A longer context predicts unheard speech better, as far as a short training can use it.",
    measured_by="held-out bits per sample against receptive field",
)
