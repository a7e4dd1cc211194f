"""Failures of variational autoencoders: grey where there should be an edge, copies, codes that say nothing, holes."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import kl_divergence

from gencourse import checkpoints, data, metrics
from gencourse.models import VAE
from gencourse.models.settings import usual_settings, weights_of
from gencourse.models.vae import reparameterise
from gencourse.support.checks import number, positive_integer
from gencourse.training import fit
from gencourse.training.batches import Prepare

Images = Literal["textures", "digits"]
IMAGES = get_args(Images)


@usual_settings()
def blur(seed: int, *, sigma: float = 0.5) -> dict[str, float]:
    """A VAE whose pixels are N(m, sigma²): does it paint the average of two strips instead of either?

    A strip has 16 pixels, white (0) up to an edge and black (1) after it; the edge is at pixel 5 or at pixel 11, both
    as often, so that six pixels differ. The VAE has one code dimension and a Gaussian decoder of fixed sigma. The
    prediction: the code is used only if sigma² < λ, with λ = 6 · ¼ = 1.5 the largest eigenvalue of the covariance
    (Tipping and Bishop 1999, section 3; Lucas et al., arXiv:1911.02469, section 4). It is derived for linear decoders;
    for two strips it holds for every decoder, because a mixture of N(m, sigma²) explains two points at the distance
    √6 best by a single m, the mean, as soon as √6 ≤ 2 sigma. Returns

        grey: mean of 1 − |2m − 1| over the six pixels of decoded m, for codes z ~ N(0, 1): 0 sharp, 1 all grey.
        grey_codes: the same for codes of the strips themselves, z ~ q(z|x). What `grey` has more comes from codes that
            no strip uses, between those of the two.
        kl: KL(q(z|x) ‖ N(0, 1)), mean over the strips, nats; a linear decoder needs ½ log(λ/sigma²).
        used: is kl above 0.01 nats?
        predicted: is sigma² < 1.5?
        agrees: are both the same?

    An autoregressive model of the same strips needs no experiment: once pixel 5 is drawn, the frequencies of the next
    pixels given the previous ones are 0 or 1, and no sample is grey.
    """
    generator = torch.Generator().manual_seed(seed)
    x = (torch.arange(16) >= torch.tensor([[5], [11]])).float().repeat(32, 1)  # (64, 16)
    with weights_of(seed):
        vae = VAE((16,), 1, "gaussian", hidden=(16,), sigma=sigma)
    fit(vae, x, steps=1000, batch_size=64, lr=1e-2, precision="float32", generator=generator)

    @torch.no_grad()
    def grey(z: Tensor) -> float:
        m = vae.decode(z).mean[:, 5:11].clamp(0, 1)
        return (1 - (2 * m - 1).abs()).mean().item()

    with torch.no_grad():
        q = vae.encode(x.repeat(32, 1))
        codes = reparameterise(q.mean, q.stddev, generator)  # (2048, 1)
    kl = vae.kl_per_dimension(x).sum().item()
    used, predicted = kl > 0.01, sigma**2 < 1.5
    return {
        "grey": grey(torch.randn(2048, 1, generator=generator)),
        "grey_codes": grey(codes),
        "kl": kl,
        "used": used,
        "predicted": predicted,
        "agrees": used == predicted,
    }


@usual_settings()
def memorise(seed: int, *, beta: float = 1.0, n: int = 500) -> dict[str, float]:
    """A VAE with a weak KL, trained on few digits: does it copy them instead of making new ones?

    A VAE with 20 code dimensions and beta as the weight of the KL is trained for 500 steps on n binarised MNIST
    digits. Its samples are compared with these and with as many held-out digits by C_T (Meehan et al.,
    arXiv:2004.05675, section 3), on features of the stored classifier. C_T asks whether samples lie nearer to the
    training digits than unseen digits do; but blank paper does so too, and lies as near to the unseen ones. What
    is low both ways, before and after the two sets are exchanged, is therefore not counted as a copy; copies of one
    easy class alone can escape in this way. As samples serve, by the beginning of the key,

        (none): the model's own, z ~ N(0, I).
        fitted_: z ~ the Gaussian with mean and covariance of the training codes, a fairer prior where beta is small.
        codes_: z ~ q(z|x) of training digits x drawn at random. Every good autoencoder gives back what it is shown,
            so that this is no evidence by itself; it says what the decoder is able to copy.
        control_: a model that does nothing but copy: training digits drawn at random, 2 % of the pixels turned over.
        floor_: new real digits.

    and for each of them it returns

        c_t: z-score, 0 for new real digits, far below for copies, far above for what is no digit.
        swapped: c_t with training and held-out digits exchanged; not low for copies as varied as the data.
        nearer: share of the samples nearer to a training digit than to any held-out one, ½ for new real digits.
        memorised: is c_t below −3, and swapped not?

    Beside them

        gap: mean ELBO of the training digits minus that of the held-out ones, nats per image, with the whole KL
            whatever beta.
        gap_decoded: the same of log P(x|z) alone, z ~ q(z|x), nats per image: large where only what was learnt by
            heart is given back.
    """
    images = data.mnist("train", "last")[0]
    if not 100 <= n <= len(images) // 3:
        raise ValueError(f"n is {n}; expected 100 to {len(images) // 3}, a third of the digits")
    generator = torch.Generator().manual_seed(seed)
    train, held_out, fresh = data.binarise(data.subset(3 * n, generator, images), generator).split(n)
    vae = _trained(seed, train, generator, beta=beta)

    @torch.no_grad()
    def elbo(x: Tensor, weight: float) -> float:
        return vae.elbo(x, weight, generator=generator).mean().item()

    with torch.no_grad():
        q = vae.encode(train)
        codes = reparameterise(q.mean, q.stddev, generator)  # (n, 20)
    gap, gap_decoded = (elbo(train, weight) - elbo(held_out, weight) for weight in (1, 0))
    root = torch.linalg.cholesky(torch.cov(codes.T))
    noise = torch.randn(n, 20, generator=generator)
    again = codes[torch.randint(n, (n,), generator=generator)]
    originals = train[torch.randint(n, (n,), generator=generator)]
    flips = torch.rand(originals.shape, generator=generator) < 0.02
    samples = {
        "": vae.draw(noise, generator),
        "fitted_": vae.draw(codes.mean(0) + noise @ root.T, generator),
        "codes_": vae.draw(again, generator),
        "control_": originals ^ flips,
        "floor_": fresh,
    }
    result = {"gap": gap, "gap_decoded": gap_decoded}
    judge, _ = checkpoints.load("classifier")
    seen, unseen = metrics.features(judge, train), metrics.features(judge, held_out)
    for whose, some in samples.items():
        found = copies(seen, unseen, metrics.features(judge, some))
        result |= {whose + key: value for key, value in found.items()}
    return result


def _trained(seed: int, x: Tensor, generator: torch.Generator, prepare: Prepare | None = None, **build: Any) -> VAE:
    """The VAE of `memorise`, `restored` and `soft`: 20 code dimensions, weights of this seed, 500 steps on x."""
    with weights_of(seed):
        vae = VAE(latent=20, hidden=(300,), **build)
    fit(vae, x, steps=500, batch_size=100, lr=3e-3, precision="float32", prepare=prepare, generator=generator)
    return vae


def copies(train: Tensor, held_out: Tensor, samples: Tensor) -> dict[str, float]:
    """What `memorise` says of samples, (N, F) features each."""
    c_t, swapped = metrics.c_t(train, held_out, samples), metrics.c_t(held_out, train, samples)
    ratio = metrics.nearest_ratio(train, held_out, samples)
    nearer = ((ratio < 1).double() + (ratio == 1) / 2).mean().item()
    return {"c_t": c_t, "swapped": swapped, "nearer": nearer, "memorised": c_t < -3 <= swapped}


@usual_settings()
def restored(seed: int, *, beta: float = 1.0) -> dict[str, float]:
    """The VAEs of `memorise`: does the decoder give back what it was trained on, and what of digits that are new?

    A VAE with 20 code dimensions and beta as the weight of the KL is trained for 500 steps on 500 binarised MNIST
    digits, as in `memorise`. It then encodes and decodes these (train), 500 others (unseen) and 500 more (spare), with
    z ~ q(z|x). By the beginning of the key,

        wrong_: share of the pixels that are wrong where a decoded pixel is ink if its probability is above ½.
        recognised_: share of the decoded probabilities to which the stored classifier gives the digit's true class.
        real_: the same of the digits themselves.
        nats_: −log P(x|z), mean over the digits.
        tempered_: the same with all logits multiplied by one number, the best for the spare digits.

    by its end,

        train: of the digits that it was trained on.
        unseen: of 500 others.
        spare: of 500 more, also new: two sets that are both new differ by chance only, which is the floor.

    and

        scale: that number; below 1 where the decoder is surer of its pixels than it should be.
    """
    images, labels = data.mnist("train", "last")
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.subset(1500, generator, images, labels)
    sets = dict(zip(("train", "unseen", "spare"), data.binarise(images, generator).split(500), strict=True))
    classes = dict(zip(sets, labels.split(500), strict=True))
    vae = _trained(seed, sets["train"], generator, beta=beta)
    judge, _ = checkpoints.load("classifier")
    result, logits = {}, {}
    with torch.no_grad():
        for name, x in sets.items():
            q = vae.encode(x)
            p = vae.decode(reparameterise(q.mean, q.stddev, generator))
            logits[name] = p.logits
            result[f"wrong_{name}"] = ((p.logits > 0) != (x > 0)).double().mean().item()
            for what, pictures in {"recognised": p.mean, "real": x.float()}.items():
                right = judge(pictures).argmax(1) == classes[name]
                result[f"{what}_{name}"] = right.double().mean().item()
        scales = torch.logspace(-2, 0.5, 101).tolist()
        scale = min(scales, key=lambda each: nats_of(each * logits["spare"], sets["spare"]))
        for name, x in sets.items():
            result[f"nats_{name}"] = nats_of(logits[name], x)
            result[f"tempered_{name}"] = nats_of(scale * logits[name], x)
    return result | {"scale": scale}


def nats_of(logits: Tensor, x: Tensor) -> float:
    """−log P(x) of binary images under independent pixels with these logits, nats per image, mean over images."""
    return F.binary_cross_entropy_with_logits(logits, x.to(logits), reduction="sum").item() / len(x)


@usual_settings()
def soft(seed: int, *, sigma: float = 0.0) -> dict[str, float]:
    """A VAE of digits: how sharp is what it decodes, and what is drawn from that, beside the data?

    A VAE with 20 code dimensions is trained for 500 steps on MNIST. With sigma = 0 its pixels are Bernoulli, and the
    digits binarised; otherwise they are N(m, sigma²), and the digits grey: then it minimises the squared error over
    2 sigma², plus the KL. Sharpness is `metrics.sharpness`, mean over 2,000 images, over that of the 10,000 test digits
    of the same kind (grey, or binarised). Returns this ratio of

        decoded: m for codes z ~ N(0, I), beside grey digits.
        restored: m for codes of test digits, z ~ q(z|x), beside the same grey digits.
        drawn: pixels drawn from m, z ~ N(0, I): beside binarised digits with sigma = 0, beside grey ones otherwise.
        blurred: grey digits averaged over 3 × 3 pixels, a control.
        again: 2,000 other test digits, a floor.
        kl: KL(q(z|x) ‖ N(0, I)) of test digits, mean, nats.
    """
    generator = torch.Generator().manual_seed(seed)
    images, test = data.mnist("train", "last")[0], data.mnist("test")[0]
    prepare = (lambda x, _: x / 255) if sigma else data.binarise
    kind = dict(likelihood="gaussian", sigma=sigma) if sigma else {}
    vae = _trained(seed, images, generator, prepare, **kind)
    grey, some = test / 255, data.subset(4000, generator, test)
    x = prepare(some[:2000], generator)
    with torch.no_grad():
        q = vae.encode(x)
        restored = vae.decode(reparameterise(q.mean, q.stddev, generator)).mean
        z = torch.randn(2000, 20, generator=generator)
        decoded, drawn = vae.decode(z).mean, vae.draw(z, generator)
        kl = vae.kl_per_dimension(x).sum().item()

    def ratio(ours: Tensor, theirs: Tensor) -> float:
        return (metrics.sharpness(ours).mean() / metrics.sharpness(theirs).mean()).item()

    return {
        "decoded": ratio(decoded, grey),
        "restored": ratio(restored, some[:2000] / 255),
        "drawn": ratio(drawn.float(), grey if sigma else data.binarise(test, generator).float()),
        "blurred": ratio(F.avg_pool2d(some[2000:] / 255, 3, 1, 1), grey),
        "again": ratio(some[2000:] / 255, grey),
        "kl": kl,
    }


class ContextVAE(nn.Module):
    """A VAE whose decoder sees, beside the code, the pixels before: logit of pixel i = f_i(z) + 4 Σ_j W_ij x_j.

    The sum goes over the `context` pixels before i in raster order, so that P(x|z) is a product of conditionals. The 4
    lets W learn as fast as the networks do; with W = 0 it begins as an ordinary VAE.

    Args:
        event_shape: of a binary image. latent, hidden: as for `VAE`.
        context: pixels before; 0 for an ordinary VAE.
        free_bits: nats that each dimension of the code may use without being charged, on average over a batch
            (Kingma et al., arXiv:1606.04934, appendix C.8).
    """

    def __init__(
        self,
        event_shape: Sequence[int] = (1, 14, 14),
        latent: int = 8,
        hidden: Sequence[int] = (128,),
        context: int = 0,
        free_bits: float = 0.0,
    ) -> None:
        super().__init__()
        self.vae = VAE(event_shape, latent, hidden=hidden)
        size = torch.Size(self.vae.event_shape).numel()
        context, self.free_bits = positive_integer("context", context, 0, size - 1), number("free_bits", free_bits)
        i = torch.arange(size, device="cpu")
        back = i[:, None] - i  # (D, D), how far pixel j lies before pixel i
        self.W = nn.Parameter(torch.zeros(size, size))
        self.register_buffer("mask", ((0 < back) & (back <= context)).to(self.W))

    def logits(self, z: Tensor, x: Tensor) -> Tensor:
        """Of every pixel given the code and the pixels before: (B, latent), (B, *event_shape) -> (B, D)."""
        return self.vae.decode(z).logits.flatten(1) + x.flatten(1) @ (4 * self.W * self.mask).T

    def terms(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """The two parts of the ELBO with one draw of z: log P(x|z), (B,), and the KL of each dimension, (B, latent)."""
        x = self.vae.check_data(x)
        q = self.vae.encode(x)
        z = reparameterise(q.mean, q.stddev, generator)
        log_px_z = -F.binary_cross_entropy_with_logits(self.logits(z, x), x.flatten(1), reduction="none").sum(1)
        return log_px_z, kl_divergence(q, self.vae.prior)

    def loss(self, x: Tensor) -> Tensor:
        """−E[log P(x|z)] + Σ_j max(free_bits, KL_j), each averaged over the batch: nats per image."""
        log_px_z, kl = self.terms(x)
        return -log_px_z.mean() + charged(kl, self.free_bits)


def charged(kl: Tensor, free_bits: float) -> Tensor:
    """Σ_j max(free_bits, mean over the batch of KL_j): (B, latent) -> a scalar, nats (arXiv:1606.04934, C.8)."""
    return kl.mean(0).clamp(min=free_bits).sum()


@usual_settings()
def posterior_collapse(
    seed: int, *, images: Images = "textures", context: int = 0, free_bits: float = 0.0
) -> dict[str, float]:
    """A VAE whose decoder also sees the pixels before: does it still use the code?

    Binary images of 14 × 14: "digits" (MNIST halved), or "textures", see `textures`, where the pixel to the left and
    the one above say all that there is to know. 8 code dimensions, and a decoder that adds to what the code says a
    linear term of the `context` pixels before: 0 none, 14 a row, 195 all. What can be said without the code costs no KL
    (Bowman et al., arXiv:1511.06349, section 3.1; Chen et al., arXiv:1611.02731, section 2.2); `free_bits` nats of
    each dimension are not charged (Kingma et al., arXiv:1606.04934, appendix C.8). Returns, of 2,000 unseen images,

        kl: KL(q(z|x) ‖ P(z)), mean over the images, sum over the dimensions, nats: what the code says.
        active: dimensions whose posterior mean has a variance above 0.01 (Burda et al., arXiv:1509.00519, section 5.2).
        kl_largest: the KL of the dimension that has the most, nats.
        nats: −ELBO per image, with the plain KL whatever free_bits.
        collapsed: has no dimension as much as 0.05 nats?
    """
    generator = torch.Generator().manual_seed(seed)
    if images not in IMAGES:
        raise ValueError(f"images is {images!r}; expected 'digits' or 'textures'")
    if images == "textures":
        train, test = 255 * textures(20_000, generator), 255 * textures(2000, generator)
    else:
        train, test = _small(data.mnist("train", "last")[0]), _small(data.mnist("test")[0][::5])
    with weights_of(seed):
        model = ContextVAE(context=context, free_bits=free_bits)
    fit(
        model,
        train,
        steps=1600,
        batch_size=100,
        lr=1e-2,
        precision="float32",
        prepare=data.binarise,
        generator=generator,
    )
    x = data.binarise(test, generator)
    with torch.no_grad():
        log_px_z, kl = model.terms(x, generator)
    per_dimension, active = kl.mean(0), model.vae.active_units(x).sum().item()
    kl = per_dimension.sum().item()
    return {
        "kl": kl,
        "active": active,
        "kl_largest": per_dimension.max().item(),
        "nats": kl - log_px_z.mean().item(),
        "collapsed": per_dimension.max().item() < 0.05,
    }


def textures(n: int, generator: torch.Generator, pull: float = 1.2) -> Tensor:
    """Blots: each pixel, in raster order, is drawn towards its left and upper neighbours by `pull` each, in logits.

    Returns:
        (n, 1, 14, 14) uint8, 0 or 1. Beyond the edge lies neither paper nor ink: no pull from there.
    """
    n, pull, kind = positive_integer("n", n), float(pull), dict(dtype=torch.float32, device=generator.device)
    x = torch.zeros(n, 15, 15, **kind)  # -1, 1, or 0 beyond the edge
    for row in range(1, 15):
        for column in range(1, 15):
            logit = pull * (x[:, row, column - 1] + x[:, row - 1, column])
            x[:, row, column] = 2 * torch.bernoulli(logit.sigmoid(), generator=generator) - 1
    return (x[:, None, 1:, 1:] > 0).to(torch.uint8)


@usual_settings()
def holes(seed: int, *, beta: float = 1.0) -> dict[str, float]:
    """Codes drawn from the prior where no digit has its code: are samples worse than what the decoder can do?

    A VAE with 8 code dimensions and beta as the weight of the KL is trained for 500 steps on binarised MNIST. If the
    codes of the data, z ~ q(z|x), together are not N(0, I), the prior draws codes that the decoder has not met
    (Dai and Wipf, arXiv:1903.05789, section 4). Returns

        frechet_prior: squared Fréchet distance of 2,000 decoded prior draws (grey levels m) to 2,000 test digits, on
            features of the stored classifier, in their squared units.
        frechet_codes: the same of decoded codes of training digits: what the decoder can do.
        in_holes: share of the prior draws farther from every one of 10,000 training codes than 99 % of test codes are;
            0.01 without holes. Where beta is small the codes themselves lie far apart, and it sees little.
        aggregate_kl: KL(N(m, C) ‖ N(0, I)) of the mean and covariance of the codes, nats: a lower bound of the KL of
            their law.
    """
    generator = torch.Generator().manual_seed(seed)
    images, test = data.mnist("train", "last")[0], data.mnist("test")[0][::5]
    with weights_of(seed):
        vae = VAE(latent=8, hidden=(300,), beta=beta)
    fit(
        vae, images, steps=500, batch_size=100, lr=3e-3, precision="float32", prepare=data.binarise, generator=generator
    )

    def codes_of(x: Tensor) -> Tensor:
        q = vae.encode(data.binarise(x, generator))
        return reparameterise(q.mean, q.stddev, generator)

    with torch.no_grad():
        codes = codes_of(images[torch.randperm(len(images), generator=generator)[:10_000]])
        unseen, prior = codes_of(test), torch.randn(2000, 8, generator=generator)
        judge, _ = checkpoints.load("classifier")
        from_prior, from_codes = (metrics.features(judge, vae.decode(z).mean) for z in (prior, codes[:2000]))
        real = metrics.features(judge, test / 255)
    return {
        "frechet_prior": metrics.frechet_distance(from_prior, real),
        "frechet_codes": metrics.frechet_distance(from_codes, real),
        "in_holes": metrics.share_in_holes(prior, codes, unseen),
        "aggregate_kl": metrics.kl_to_standard_normal(codes),
    }


def _small(images: Tensor) -> Tensor:
    """Means of 2 × 2 pixels, rounded: (N, 1, 28, 28) -> (N, 1, 14, 14) uint8."""
    return F.avg_pool2d(images.float(), 2).round().to(torch.uint8)
