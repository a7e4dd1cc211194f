"""Claims of chapter 03: variational autoencoders."""

from gencourse.claims.ledger import claim
from gencourse.claims.outcome import Measured, Part, above, below, within

NOTEBOOK = "03_vae"
WRITTEN = "2026-11-30"


@claim(
    "VA1",
    NOTEBOOK,
    notes="cᵢ = exp(σᵢ/2)·eᵢ + mᵢ, with e from a normal distribution.",
    says="c has the distribution N(m, exp σ). Gradients by m and by σ pass through it; those by m vary less than those "
    "of the score function, on twelve digits with one VAE.",
    measured_by="distribution functions at five settings of m and σ; gradients beside exact ones; the variance of "
    "those by m on twelve digits",
    since=WRITTEN,
    before="Until then one m and σ and one digit were looked at, and no gradient by σ; and for a time the sentence "
    "spoke of the variance of gradients by σ, too, which is not measured.",
)
def the_draw_has_its_distribution_and_lets_gradients_pass(
    distance: float, other: float, by_mean: Measured, by_log_var: Measured, plain: Measured, baseline: Measured
) -> list[Part]:
    """`distance`, `other`: √n times the largest gap of the distribution functions, with exp(σ/2) the largest of five
    settings, with exp(σ) the smallest of those with σ ≠ 0. A true draw exceeds 1.95 once in a thousand tries.
    `by_mean`, `by_log_var`: the estimated gradient along the exact one, over its length: 1 if it is right; 5 % are
    allowed, since a forgotten part is larger. `plain`, `baseline`: variance of the gradient by m by the score function
    over that through the draw, without and with a baseline, over digits.
    """
    return [
        below("largest distance of c from N(m, exp σ), times √n", distance, 1.95),
        above("the same with exp(σ)·e + m, a control", other, 1.95),
        within("reparameterised gradient by m, over the exact one", by_mean, 0.95, 1.05),
        within("reparameterised gradient by σ, over the exact one", by_log_var, 0.95, 1.05),
        above("variance of the score function, by m, over the reparameterised one", plain, 1),
        above("the same with a baseline", baseline, 1),
    ]


@claim(
    "VA2",
    NOTEBOOK,
    notes="Minimise Σ (exp(σᵢ) − (1 + σᵢ) + mᵢ²): the closed form of the KL divergence.",
    says="The formula is twice KL(N(m, exp σ) ‖ N(0, 1)), no multiple of KL(N(m, exp 2σ) ‖ N(0, 1)), and lowest "
    "at m = 0, σ = 0.",
    measured_by="the KL as an integral, at 200 settings of m and σ; a grid of m and σ",
    since=WRITTEN,
    before="Until then the factor was estimated by drawing, to 0.02, which is less than two standard errors of it.",
    exact=True,
)
def the_bracket_is_twice_the_kl(off: float, spread: float, lowest: float, step: float) -> list[Part]:
    """`off`: the largest |formula / KL − 2|; the integral is good to 1e-6. `spread`: with standard deviation exp(σ),
    the largest ratio over the smallest; a multiple would have 1, and 1.5 leaves no doubt. `lowest`: how far from 0 the
    larger of |m| and |σ| is at the lowest point of a grid that does not contain 0, with this `step`.
    """
    return [
        below("largest distance of formula / KL from 2, noise exp(σ/2)·e", off, 1e-6, form=".1g"),
        above("largest ratio over smallest, noise exp(σ)·e", spread, 1.5),
        below(
            "distance of the lowest point of a grid without 0, at most half its step",
            lowest,
            step / 2 + 1e-6,
            form=".6f",
        ),
    ]


@claim(
    "VA3",
    NOTEBOOK,
    notes="Noise is introduced into the code space.",
    says="Without the KL term, training takes the noise away; with it, noise stays.",
    measured_by="the noise over the spread of the means and what it costs the reconstruction, over ten seeds, with the "
    "term and without",
    since=WRITTEN,
    before="Until then one run's σ was compared with fixed numbers, which mean nothing without the scale of the codes.",
)
def reconstruction_alone_takes_the_noise_away(
    share: Measured, harm: Measured, late: Measured, share_kl: Measured, harm_kl: Measured
) -> list[Part]:
    """`share`: standard deviation of q over that of its means; a hundredth is too little to blur two digits. `harm`:
    nats that the noise costs the reconstruction; a tenth of a nat is a thousandth of it. `late`: log₁₀ of the noise at
    the end over that half-way, below 0 while it still falls. `share_kl`, `harm_kl`: with the KL, a twentieth and one
    nat at least, five and ten times what is allowed without.
    """
    return [
        below("noise over the spread of the means, without the KL", share, 0.01, form=".2g"),
        below("what that noise costs the reconstruction", harm, 0.1, "nats", form=".2g"),
        below("log₁₀ of the noise, end over half-way", late, 0, form=".2f"),
        above("noise over the spread of the means, with the KL", share_kl, 0.05),
        above("what that noise costs the reconstruction", harm_kl, 1, "nats"),
    ]


@claim(
    "VA4",
    NOTEBOOK,
    notes="The KL term works like L2 regularisation; we want σᵢ close to 0, the variance close to 1.",
    says="The KL term pulls the codes of all images together towards N(0, I), and brings the variance of each image's "
    "code close to one.",
    measured_by="mean, variance and distance from N(0, I) of the codes of all images, with the term and without; the "
    "variance for one image; over ten seeds",
    since=WRITTEN,
    before="Until then only the codes of all images together were looked at, in one run, and σᵢ not at all; and for "
    "a time the sentence said “towards one”, where the rule asks whether the variance is close to one.",
)
def the_kl_pulls_codes_to_the_prior(
    fall: Measured, centre: Measured, together: Measured, alone: Measured, silent: Measured
) -> list[Part]:
    """`fall`: log₁₀ of the distance from N(0, I) without the KL over that with it; a tenth at least. `centre`: how far
    from 0 the mean is with the KL over without; a fifth at most. `together`: variance of a dimension over all images.
    `alone`: exp σ for one image, the geometric mean over images and dimensions in use. `silent`: the same over the
    dimensions that say nothing, where it must be one: a control. "Close to one" is 0.5 to 1.5: σ from −0.69 to 0.41.
    """
    return [
        above("log₁₀ of the distance from N(0, I), without the KL over with it", fall, 1),
        below("distance of the mean from 0, with the KL over without it", centre, 0.2),
        within("variance of a dimension over all images, with the KL", together, 0.5, 1.5),
        within("variance exp σ for one image, dimensions in use", alone, 0.5, 1.5),
        within("the same in dimensions not in use, a control", silent, 0.5, 1.5),
    ]


@claim(
    "VA5",
    NOTEBOOK,
    notes="Each dimension of z represents an attribute.",
    says="A dimension of the code can carry an attribute of the data that no other dimension carries as well: the "
    "slant of digits, in two VAEs trained separately.",
    measured_by="information of each dimension about slant; a code rotated at random; a shuffled and a planted code",
    since=WRITTEN,
    before="Until then one model was looked at, by factors without an interval, and no planted code.",
)
def a_dimension_carries_slant(
    lead_vae: Measured,
    lead_gated: Measured,
    turn_vae: Measured,
    turn_gated: Measured,
    shuffled: float,
    planted: float,
) -> list[Part]:
    """`lead_…`: nats that the best dimension tells of slant beyond the next best, over blocks of images. `turn_…`:
    beyond the best dimension of the same code rotated at random, over rotations. A tenth of a nat is several times what
    shuffled codes tell. `shuffled`: the most that a dimension of a shuffled code tells; `planted`: the lead of a
    dimension that is the slant itself among others of noise. Both are controls of the detector.
    """
    return [
        above("lead of the best dimension about slant, stored VAE", lead_vae, 0.1, "nats"),
        above("the same, gated VAE", lead_gated, 0.1, "nats"),
        above("best dimension less the best of a rotated code, stored VAE", turn_vae, 0.1, "nats"),
        above("the same, gated VAE", turn_gated, 0.1, "nats"),
        below("best dimension of a shuffled code, a control", shuffled, 0.1, "nats"),
        above("lead of a planted dimension, a control", planted, 1, "nats"),
    ]


@claim(
    "VA6",
    NOTEBOOK,
    notes="Training maximises the evidence lower bound of the log-likelihood of the observed x.",
    says="The ELBO is a lower bound of log P(x), the gap is the KL to the posterior, and training raises the ELBO of "
    "digits that it has not seen; more draws raise the bound.",
    measured_by="linear VAEs, where all is known, untrained and trained; unseen digits before and after training, with "
    "1, 10 and 60 draws",
    since=WRITTEN,
    before="Until then four points of one untrained model were looked at, and a number of nats was asked that the "
    "sentence does not speak of.",
)
def the_elbo_is_a_lower_bound(
    identity: float, excess: float, bracket: float, climbed: Measured, ten: Measured, sixty: Measured
) -> list[Part]:
    """`identity`: the largest |ELBO + KL to the posterior − log P(x)|, exact but for float32. `excess`: the largest
    ELBO − log P(x). `bracket`: the mean distance from that identity if the notes' bracket stands for the KL to the
    prior, a control. `climbed`: ELBO of the same digits after training less before; `ten`, `sixty`: what 10 draws have
    more than 1, and 60 more than 10; each over images, in pairs.
    """
    return [
        below("largest distance of ELBO + gap from log P(x), linear", identity, 1e-3, "nats", form=".1g"),
        below("largest ELBO − log P(x), linear", excess, 1e-6, "nats", form=".2g"),
        above("distance from it with the notes' bracket for the KL, a control", bracket, 0.1, "nats"),
        above("rise of the ELBO of unseen digits by training", climbed, 0, "nats", form=".1f"),
        above("rise of the bound, 1 to 10 draws", ten, 0, "nats", form=".2f"),
        above("rise of the bound, 10 to 60 draws", sixty, 0, "nats", form=".2f"),
    ]


@claim(
    "VA7",
    NOTEBOOK,
    notes="P(x) = ∫ P(x|z) P(z) dz: a Gaussian mixture made infinite and continuous.",
    says="A VAE, here one with one or two code dimensions, is the limit of finite mixtures with ever more components: "
    "of Gaussians where its decoder is Gaussian, of coin flips where it flips coins.",
    measured_by="nats of unseen points and digits by mixtures on grids over z of growing size, beside estimates that "
    "draw z",
    since=WRITTEN,
    before="Until then only mixtures of coin flips were asked about, and compared with their own finest grid.",
)
def a_vae_is_the_limit_of_mixtures(
    gaussian_near: Measured,
    gaussian_far: Measured,
    coins_near: Measured,
    coins_far: Measured,
    shrinks: float,
) -> list[Part]:
    """Nats of a mixture less those of the VAE, over points or images, in pairs. `gaussian_near`: 1,000 Gaussians, less
    an estimate with 50,000 random z; 0.02 nats are many times its own error. `coins_near`: 65,536 components of coin
    flips, less the bound by a wide q; 0.05 nats are about five standard errors of the difference. `…_far`: 4 Gaussians,
    16 components of coin flips (controls). `shrinks`: the largest ratio of a distance to the limit over that with a
    quarter of the components, until it is below 0.05 nats; below 1 if ever more components come ever nearer.
    """
    return [
        within("1,000 Gaussians less the VAE", gaussian_near, -0.02, 0.02, "nats", form=".4f"),
        above("4 Gaussians less the VAE", gaussian_far, 1, "nats"),
        within("65,536 components of coin flips less the VAE", coins_near, -0.05, 0.05, "nats", form=".3f"),
        above("16 components of coin flips less the VAE", coins_far, 10, "nats"),
        below("distance to the limit over that of a quarter of the components, the largest", shrinks, 1),
    ]
