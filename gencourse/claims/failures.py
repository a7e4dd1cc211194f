"""Claims of chapter 05: how each family fails."""

from gencourse.claims.ledger import open_claim

NOTEBOOK = "05_failure_modes"

open_claim(
    "VA8",
    NOTEBOOK,
    notes="VAE may just memorize the existing images, instead of generating new images.",
    says="With too weak a KL term, its decoder gives back what it was trained on, and not what is new.",
    measured_by="a memorisation score over β, with a model that memorises on purpose beside it",
)
open_claim(
    "VA9",
    NOTEBOOK,
    notes="Averaging, as mean squared error does, makes the images blurry.",
    says="What a VAE decodes is less sharp than the data, until pixels are drawn from it.",
    measured_by="sharpness beside the data, PixelCNN and a GAN; a toy of two edges",
)
open_claim(
    "GA5",
    NOTEBOOK,
    notes="We have to keep well-matched in a contest.",
    says="Where one player is far ahead of the other, the samples end up worse than in a matched contest.",
    measured_by="quality and the generator's gradient over the balance of the contest",
)
open_claim(
    "GA6",
    NOTEBOOK,
    notes="When the discriminator fails, that does not guarantee realistic images: it may just be stupid.",
    says="A weak discriminator is fooled by bad samples.",
    measured_by="the discriminator's verdict beside the measured quality of what fooled it",
)
open_claim(
    "GA7",
    NOTEBOOK,
    notes="Sometimes the generator finds a specific example that can fail the discriminator.",
    says="There are inputs that the discriminator takes for real, and nothing else does.",
    measured_by="ascent on the discriminator: its verdict beside a classifier's and the nearest neighbours'",
)
open_claim(
    "GA8",
    NOTEBOOK,
    notes="GANs often suffer from mode collapse: a limited variety of outputs.",
    says="A plain GAN loses modes in more than half of the runs, and cures reduce how often.",
    measured_by="share of seeds that collapse, modes found, reverse KL, each cure beside it",
)
