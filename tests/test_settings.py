"""A reader's own torch settings change no result: default dtype and device, gradients off, deterministic algorithms."""

import ast
import contextlib
import copy
import functools
import math
import random
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gencourse import data, metrics
from gencourse.failures import autoregression as failing_autoregression
from gencourse.failures import gan as failing_gan
from gencourse.failures import vae as failing_vae
from gencourse.models import (
    GAN,
    GMM,
    VAE,
    Autoencoder,
    BernoulliMixture,
    Classifier,
    ContextTable,
    DiracGAN,
    Discriminator,
    Generator,
    LinearGaussianVAE,
    PixelCNN,
    PixelRNN,
    WaveNet,
)
from gencourse.models.gan import discriminator_loss, generator_loss, gradient_penalty, r1_penalty
from gencourse.models.vae import WarmUp, reparameterise
from gencourse.training import optim

SIDE = (1, 8, 8)
PACKAGE = Path(data.__file__).parent


def seed(n: int = 0) -> torch.Generator:
    return torch.Generator(device="cpu").manual_seed(n)


def stirred(model: nn.Module) -> nn.Module:
    """Some weights begin as zero; here all are drawn."""
    for p in model.parameters():
        p.data = 0.2 * torch.randn(p.shape, generator=seed(p.numel()), dtype=torch.float32).to(p)
    return model


def build() -> dict[str, nn.Module]:
    """A small one of every kind."""
    return {name: stirred(make()) for name, make in BUILD.items()}


BUILD = {
    "single": lambda: PixelCNN(SIDE, n_blocks=2, channels=8, place_bias=True),
    "gated": lambda: PixelCNN(SIDE, levels=16, stacks="gated", n_blocks=2, channels=8, n_classes=3, fourier=2),
    "row": lambda: PixelRNN(SIDE, levels=4, kind="row", hidden=4, n_classes=3, place_bias=True),
    "diagonal": lambda: PixelRNN(SIDE, kind="diagonal", n_layers=2, hidden=4, fourier=1),
    "sound": lambda: WaveNet((40,), levels=16, dilations=(1, 2, 4), channels=8, skip_channels=8),
    "words": lambda: WaveNet((40,), levels=16, dilations=(1, 2), channels=8, skip_channels=8, n_classes=3),
    "vae": lambda: VAE(SIDE, 3, hidden=(8,)),
    "learned": lambda: VAE(SIDE, 3, "gaussian", hidden=(8,), body="convolutional", channels=2, sigma="learned"),
    "predicted": lambda: VAE(SIDE, 3, "gaussian", hidden=(8,), sigma="predicted", gated=True),
    "iwae": lambda: VAE(SIDE, 3, hidden=(8,), n_samples=3),
    "linear": lambda: LinearGaussianVAE(5, 2),
    "autoencoder": lambda: Autoencoder(SIDE, 3, hidden=(8,)),
    "context": lambda: failing_vae.ContextVAE(SIDE, 2, (8,), context=8, free_bits=0.1),
    "classifier": lambda: Classifier(SIDE, 3, channels=2, n_features=6),
    "gan": lambda: GAN(Generator(SIDE, 3, (8,)), Discriminator(SIDE, (8,)), r1=0.3, gradient_penalty=2.0),
    "plane": lambda: GAN(Generator((2,), 3, (8,), scale=4.0), Discriminator((2,), (8,), scale=4.0), "hinge"),
    "words gan": lambda: GAN(
        Generator(SIDE, 3, (), "convolutional", 4, 3), Discriminator(SIDE, (), "convolutional", 4, 3)
    ),
    "mixture": lambda: BernoulliMixture(3, SIDE),
    "table": lambda: ContextTable(SIDE, [(0, -1), (-1, 0)], 16),
    "full": lambda: GMM(3, 2),
    "diagonal gmm": lambda: GMM(3, 2, "diagonal"),
    "spherical": lambda: GMM(3, 2, "spherical"),
}  # fmt: skip


def inputs() -> dict[str, Tensor]:
    """What the functions are called with."""
    g = seed(5)
    return {
        "binary": torch.randint(2, (6, *SIDE), generator=g, dtype=torch.uint8),
        "grey": torch.randint(16, (6, *SIDE), generator=g),
        "four": torch.randint(4, (6, *SIDE), generator=g),
        "levels": torch.randint(16, (6, 40), generator=g),
        "classes": torch.randint(3, (6,), generator=g),
        "images": torch.rand(6, *SIDE, generator=g),
        "others": torch.rand(6, *SIDE, generator=g),
        "real": torch.randn(6, *SIDE, generator=g),
        "five": torch.randn(9, 5, generator=g),
        "codes": torch.randn(30, 3, generator=g),
        "codes2": torch.randn(30, 3, generator=g),
        "log_weights": torch.randn(30, generator=g).log_softmax(0),
        "points": torch.randn(40, 2, generator=g),
        "points2": torch.randn(40, 2, generator=g),
        "logits": torch.randn(6, generator=g),
        "logits2": torch.randn(6, generator=g),
        "uint8": torch.randint(256, (5, 1, 12, 12), generator=g, dtype=torch.uint8),
        "wave": torch.rand(30, generator=g) * 2 - 1,
        "p": torch.rand(5, generator=g).softmax(0),
        "q": torch.rand(5, generator=g).softmax(0),
    }


def calls(m: dict, x: dict) -> dict:
    """name -> a function of nothing: every public function of models, metrics, data and failures."""
    c = {}
    for name, of, condition in (
        ("single", "binary", None),
        ("gated", "grey", "classes"),
        ("row", "four", "classes"),
        ("diagonal", "binary", None),
        ("sound", "levels", None),
        ("words", "levels", "classes"),
        ("table", "grey", None),
    ):
        given = () if condition is None else (x[condition],)
        model, event = m[name], x[of]
        many = dict(condition=x["classes"]) if given else {}
        start = event[:, :3] if event.dim() == 2 else event[:, :, :2]
        c |= {
            f"{name}.log_prob": functools.partial(model.log_prob, event, *given),
            f"{name}.logits": functools.partial(model.logits, event, *given),
            f"{name}.loss": functools.partial(model.loss, event, *given),
            f"{name}.sample": lambda model=model, many=many: model.sample(6, seed(), **many),
            f"{name}.sample uncached": lambda model=model, many=many: model.sample(6, seed(), cached=False, **many),
            f"{name}.sample prefix": lambda model=model, many=many, s=start: model.sample(6, seed(), prefix=s, **many),
            f"{name}.nats": functools.partial(metrics.nats, model, event, *given),
        }
        if name != "table":
            position = (4,) if event.dim() == 2 else (0, 3, 3)
            c[f"{name}.receptive_field"] = functools.partial(metrics.receptive_field, model, position, 2)
    c["sound.bits"] = lambda: metrics.bits_per_sample(m["sound"], list(x["levels"]))
    c["words.sample length"] = lambda: m["words"].sample(2, seed(), condition=x["classes"][:2], length=7)
    c["words.sample few"] = lambda: m["words"].sample(1, seed(), condition=x["classes"][:1])
    c["table.count"] = lambda: copy.deepcopy(m["table"]).count(x["grey"]).counts

    for name, of in (
        ("vae", "binary"),
        ("learned", "real"),
        ("predicted", "real"),
        ("iwae", "binary"),
        ("linear", "five"),
    ):
        model, event = m[name], x[of]
        codes, bound = x["codes"][:, : model.latent], torch.no_grad()(model.importance_bound)
        c |= {
            f"{name}.encode": lambda model=model, event=event: model.encode(event).mean,
            f"{name}.decode": lambda model=model, codes=codes: model.decode(codes).mean,
            f"{name}.elbo": lambda model=model, event=event: model.elbo(event, 0.5, 0.1, seed()),
            f"{name}.bound": lambda bound=bound, event=event: bound(event, 7, seed(), 5),
            f"{name}.metric": lambda model=model, event=event: metrics.importance_bound(model, event, 7),
            f"{name}.sample": lambda model=model: model.sample(4, seed()),
            f"{name}.draw": lambda model=model, codes=codes: model.draw(codes, seed()),
            f"{name}.log_mixture": functools.partial(model.log_mixture, event, codes, x["log_weights"], 7),
            f"{name}.kl": functools.partial(model.kl_per_dimension, event),
            f"{name}.active": functools.partial(model.active_units, event),
            f"{name}.prior": lambda model=model: model.prior.mean,
        }
    c |= {
        "linear.log_prob": functools.partial(m["linear"].log_prob, x["five"]),
        "linear.exact_elbo": functools.partial(m["linear"].exact_elbo, x["five"]),
        "linear.posterior": lambda: m["linear"].posterior(x["five"]).mean,
        "linear.optimum": lambda: _after(m["linear"], lambda model: model.set_optimum(x["five"])).W,
        "autoencoder.loss": functools.partial(m["autoencoder"].loss, x["binary"]),
        "context.terms": lambda: m["context"].terms(x["binary"], seed()),
        "reparameterise": lambda: reparameterise(x["points"], x["points2"].exp(), seed()),
        "classifier": functools.partial(m["classifier"], x["images"]),
        "classifier.binary": functools.partial(m["classifier"], x["binary"]),
        "classifier.loss": functools.partial(m["classifier"].loss, x["images"], x["classes"]),
        "classifier.features": functools.partial(metrics.features, m["classifier"], x["images"], 4),
        "gan.sample": lambda: m["gan"].sample(4, seed()),
        "gan.noise": lambda: m["gan"].noise(4, seed()),
        "gan.judge": lambda: tuple(m["gan"].judge(x["images"], x["others"], generator=seed())),
        "gan.generator_loss": functools.partial(m["gan"].generator_loss, x["images"]),
        "plane.sample": lambda: m["plane"].sample(4, seed()),
        "plane.discriminator_loss": functools.partial(m["plane"].discriminator_loss, x["points"], x["points2"]),
        "words gan.sample": lambda: m["words gan"].sample(6, seed(), x["classes"]),
        "words gan.judge": lambda: tuple(m["words gan"].judge(x["images"], x["others"], x["classes"])),
        "discriminator_loss": functools.partial(discriminator_loss, x["logits"], x["logits2"]),
        "generator_loss": functools.partial(generator_loss, x["logits"]),
        "r1_penalty": functools.partial(r1_penalty, m["gan"].discriminator, x["images"]),
        "gradient_penalty": lambda: gradient_penalty(m["gan"].discriminator, x["images"], x["others"], seed()),
        "dirac.simulate": lambda: DiracGAN(r1=0.3).simulate(steps=9),
        "dirac.noise": lambda: DiracGAN(noise=0.3).simulate(steps=9),
        "dirac.drawn": lambda: DiracGAN(noise=0.3).simulate(steps=9, generator=seed(), draws=10),
        "dirac.eigenvalues": lambda: torch.view_as_real(DiracGAN(noise=0.3).eigenvalues()),
        "dirac.gradient_penalty": lambda: DiracGAN("hinge", gradient_penalty=0.3).simulate(steps=9),
        "mixture.log_prob": functools.partial(m["mixture"].log_prob, x["binary"]),
        "mixture.sample": lambda: m["mixture"].sample(4, seed()),
        "mixture.fit_em": lambda: tuple(copy.deepcopy(m["mixture"]).fit_em(x["binary"], 4, seed())),
    }
    for name in ("full", "diagonal gmm", "spherical"):
        c |= {
            f"{name}.log_prob": functools.partial(m[name].log_prob, x["points"]),
            f"{name}.loss": functools.partial(m[name].loss, x["points"]),
            f"{name}.responsibilities": functools.partial(m[name].responsibilities, x["points"]),
            f"{name}.bic": functools.partial(m[name].bic, x["points"]),
            f"{name}.sample": lambda name=name: m[name].sample(5, seed(), with_component=True),
            f"{name}.fit_em": lambda name=name: (
                _after(m[name], lambda gmm: gmm.fit_em(x["points"], max_steps=5, generator=seed())).means
            ),
            f"{name}.fit_em random": lambda name=name: (
                _after(m[name], lambda gmm: gmm.fit_em(x["points"], max_steps=5, start="random")).means
            ),
        }

    a, b, images = x["points"], x["points2"], x["images"]
    c |= {
        "patch_frequencies": lambda: metrics.patch_frequencies(x["binary"], 2),
        "jensen_shannon": lambda: metrics.jensen_shannon(x["p"], x["q"]),
        "total_variation": lambda: metrics.total_variation(x["p"], x["q"]),
        "bits_per_dimension": lambda: metrics.bits_per_dimension(x["p"], 7),
        "share_in_holes": lambda: metrics.share_in_holes(a, b, a + 1),
        "kl_to_standard_normal": lambda: metrics.kl_to_standard_normal(a),
        "mutual_information": lambda: metrics.mutual_information(a[:, 0], b[:, 0], 5),
        "slant": lambda: metrics.slant(images),
        "slant uint8": lambda: metrics.slant(x["uint8"]),
        "thickness": lambda: metrics.thickness(x["uint8"]),
        "cell_probabilities": lambda: metrics.cell_probabilities(lambda z: z.square().sum(1), x["p"].cumsum(0)),
        "mode_statistics": lambda: tuple(metrics.mode_statistics(a, b[:5], 0.3)),
        "frechet_distance": lambda: metrics.frechet_distance(a, b),
        "precision_recall": lambda: tuple(metrics.precision_recall(a, b)),
        "density_coverage": lambda: tuple(metrics.density_coverage(a, b)),
        "c_t": lambda: metrics.c_t(a, b, a + 0.1),
        "c_t cells": lambda: metrics.c_t(a, b, torch.cat([a, b]) + 0.1, 2),
        "nearest_ratio": lambda: metrics.nearest_ratio(a, b, a + 0.1),
        "birthday_support": lambda: tuple(metrics.birthday_support(a, 0.2)),
        "sharpness": lambda: metrics.sharpness(images),
        "spectrum": lambda: tuple(metrics.spectrum(images)),
        "warped_distance": lambda: metrics.warped_distance(a[:7], b[:9]),
        "binarise": lambda: data.binarise(x["uint8"], seed()),
        "ring": lambda: data.ring(9, seed()),
        "grid": lambda: data.grid(9, seed()),
        "all_sequences": lambda: data.all_sequences(3, 3),
        "tiny_images": lambda: data.tiny_images(2),
        "mu_law_encode": lambda: data.mu_law_encode(x["wave"]),
        "mu_law_decode": lambda: data.mu_law_decode(x["levels"], 16),
        "windows": lambda: tuple(data.windows(data.SpokenWords([x["wave"]], ["five"], ["digits/5"]), 8)),
        "mnist": lambda: data.mnist("test")[0][:3],
        "orthogonalise": lambda: optim.orthogonalise(a[None]),
        "turned_over": lambda: failing_autoregression.turned_over(x["binary"], 0.2, seed()),
        "plane": lambda: tuple(data.plane("grid", 9, seed())),
        "climb": lambda: failing_gan.climb(m["gan"].discriminator, images, 3),
        "textures": lambda: failing_vae.textures(3, seed()),
    }
    return c


def _after(model, change):
    """A copy of the model, changed."""
    model = copy.deepcopy(model)
    change(model)
    return model


# ------------------------------------------------------------------------------------- settings of torch


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def deterministic():
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@contextlib.contextmanager
def anomalies():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, that it is slow
        with torch.autograd.detect_anomaly():
            yield


SETTINGS = {
    "default dtype float64": lambda: default_dtype(torch.float64),
    "default dtype bfloat16": lambda: default_dtype(torch.bfloat16),
    "default device meta": lambda: torch.device("meta"),  # what set_default_device enters
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "deterministic algorithms": deterministic,
    "anomaly detection": anomalies,
}


@pytest.fixture(scope="module")
def clean():
    """Models, inputs, and what every function gives in a fresh Python."""
    models, given = build(), inputs()
    return models, given, {name: drawn_anew(call) for name, call in calls(models, given).items()}


def drawn_anew(call):
    """What it gives; losses take their noise from the global generator."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return call()


def same(a, b, rtol=0.0):
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(same(*pair, rtol) for pair in zip(a, b))
    if isinstance(a, Tensor):
        alike = a.dtype == b.dtype or rtol
        return alike and a.device == b.device and torch.allclose(a.double(), b.double(), rtol, rtol, equal_nan=True)
    return a == b or abs(a - b) <= rtol * max(1, abs(a))


# in float64 other numbers are drawn
NOISE = re.compile(r"(elbo|bound|metric|sample|draw|noise|terms|judge|gradient_penalty): another result$")


def differing(models, given, expected, rtol=0.0) -> list[str]:
    """The functions that do not give what is expected, and why."""
    found = []
    for name, call in calls(models, given).items():
        try:
            value = drawn_anew(call)
            if not same(expected[name], value, rtol):
                found.append(f"{name}: another result")
        except Exception as error:
            found.append(f"{name}: {type(error).__name__}: {str(error).splitlines()[0]}")
    return found


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_function_gives_the_same_under_every_setting(clean, setting):
    models, given, expected = clean
    with SETTINGS[setting]():
        assert differing(models, given, expected) == []


def test_inputs_that_were_made_in_inference_mode_are_inputs_like_others(clean):
    models, given, expected = clean
    with torch.inference_mode():
        given = {name: x.clone() for name, x in given.items()}
    left = differing(models, given, expected)  # torch itself says what to do, where weights are to be learned from them
    assert [name for name in left if "Inference tensors cannot be saved for backward" not in name] == []
    with torch.no_grad():
        assert differing(models, given, expected) == []


@pytest.mark.parametrize("build_it", ["model.double()", "under a default dtype of float64"])
def test_every_function_works_with_weights_in_float64(clean, build_it):
    models, given, expected = clean
    with default_dtype(torch.float64 if build_it.startswith("under") else torch.float32):
        wide = {name: stirred(make()).double() for name, make in BUILD.items()}
        assert [name for name in differing(wide, given, expected, 1e-3) if not NOISE.search(name)] == []
    event = given["binary"]
    single, vae, gan = wide["single"], wide["vae"], wide["gan"]
    values = [single.log_prob(event), single.loss(event), vae.elbo(event), gan.sample(1)]
    assert {value.dtype for value in values} == {torch.float64}


def test_a_likelihood_in_float64_has_its_digits(clean):
    models, given, _ = clean
    for name, of in (("single", "binary"), ("diagonal", "binary"), ("sound", "levels")):
        model = copy.deepcopy(models[name]).double()
        total = model.log_prob(given[of]).mean()
        assert abs(total + model.loss(given[of])) < 1e-12 * abs(total)
        assert total != models[name].log_prob(given[of]).mean()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("name", BUILD)
def test_weights_in_less_are_refused_in_one_clear_line(name, dtype, clean):
    models, given, _ = clean
    narrow = models | {name: copy.deepcopy(models[name]).to(dtype)}
    whole = [call for key, call in calls(narrow, given).items() if key.startswith(f"{name}.")]
    asked = whole or [functools.partial(narrow[name].loss, given["binary"])]
    for call in asked:
        with pytest.raises((TypeError, ValueError), match=r"expected .*float64: (model\.float|gmm\.double)\(\)"):
            call()


def test_models_are_built_where_torch_builds_modules():
    with torch.device("meta"):
        for name, make in BUILD.items():
            tensors = make().state_dict(keep_vars=True).values()
            assert {str(tensor.device) for tensor in tensors} == {"meta"}, name
        assert PixelRNN(SIDE, kind="diagonal").layers[0].order.device.type == "meta"


@pytest.mark.parametrize("setting", ["default dtype float64", "default device meta", "inference_mode"])
def test_stored_models_are_the_same_under_every_setting(setting):
    from gencourse import checkpoints

    digits = data.binarise(data.mnist("test")[0][:2], seed())
    sound = torch.randint(256, (1, 50), generator=seed())
    given = {
        "pixelcnn": (digits,),
        "pixelrnn-row": (digits,),
        "classifier": (digits,),
        "wavenet": (sound, torch.tensor([3])),
    }

    def figures():
        for name, x in given.items():
            model, _ = checkpoints.load(name)
            assert {(p.dtype, p.device.type) for p in model.parameters()} == {(torch.float32, "cpu")}
            assert not any(p.is_inference() for p in model.parameters())  # it may be trained on
            yield model(*x) if name == "classifier" else model.log_prob(*x)
            if name == "wavenet":
                yield model.sample(1, seed(), condition=x[1], length=40)

    expected = list(figures())
    with SETTINGS[setting]():
        assert same(expected, list(figures()))


@pytest.mark.parametrize("setting", ["default dtype float64", "default device meta", "no_grad"])
def test_a_study_counts_the_same_under_every_setting(setting):
    from gencourse.failures.gmm import gmm_singular

    expected = gmm_singular(0, n=20)
    with SETTINGS[setting]():
        assert gmm_singular(0, n=20) == expected


FACTORIES = {"arange", "as_tensor", "empty", "eye", "fft.fftfreq", "full", "linspace", "logspace", "ones", "rand",
             "randint", "randn", "randperm", "tensor", "zeros"}  # fmt: skip


def without_a_device(source: str) -> list[str]:
    """Tensors made without device=, but for weights: those that __init__ or nn.Parameter makes are on the default's."""
    tree = ast.parse(source)
    makes_weights = (
        node
        for node in ast.walk(tree)
        if getattr(node, "name", "") == "__init__"
        or (isinstance(node, ast.Call) and ast.unparse(node.func) == "nn.Parameter")
    )
    weights = {child for node in makes_weights for child in ast.walk(node)}
    made = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node not in weights]
    return [
        ast.unparse(node)
        for node in made
        if ast.unparse(node.func).removeprefix("torch.") in FACTORIES
        and ast.unparse(node.func).startswith("torch.")
        and not {keyword.arg for keyword in node.keywords} & {"device", None}
    ]


PLACES = [
    PACKAGE / "data.py",
    *(path for room in ("models", "metrics", "training") for path in (PACKAGE / room).rglob("*.py")),
]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_what_is_made_says_on_which_device(path):
    assert without_a_device(path.read_text(encoding="utf-8")) == []


def test_a_tensor_that_is_made_without_a_device_is_seen():
    seen = without_a_device("def f():\n    return torch.zeros(3) + torch.ones(3, device=x.device) + x.new_zeros(3)")
    assert seen == ["torch.zeros(3)"]


# ------------------------------------------------------------------------------------- what a call leaves behind


@pytest.mark.parametrize("training", [True, False])
def test_no_function_changes_its_inputs_or_leaves_a_trace(clean, training):
    models, given, _ = clean
    given, models = ({name: copy.deepcopy(value) for name, value in of.items()} for of in (given, models))
    for model in models.values():
        model.train(training)
    before = copy.deepcopy(given), {name: copy.deepcopy(model.state_dict()) for name, model in models.items()}
    uses_the_global_one = {"vae.loss", "context.loss"}

    def states():
        random_states = torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()
        settings = torch.get_default_dtype(), torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        return *random_states, settings, torch.get_num_threads(), warnings.filters[:]

    for name, call in calls(models, given).items():
        was = states()
        call()
        assert states() == was or name in uses_the_global_one, name
        assert all(x.equal(before[0][key]) and x.grad is None for key, x in given.items()), name
        for key, model in models.items():
            assert all(value.equal(before[1][key][part]) for part, value in model.state_dict().items()), (name, key)
            assert {module.training for module in model.modules()} == {training}, (name, key)
            assert all(p.grad is None for p in model.parameters()), (name, key)


def test_every_function_takes_what_torch_itself_takes(clean):
    """Tensors that are not contiguous, and those that carry a gradient."""
    models, given, expected = clean
    strided = {name: torch.stack([x, x], -1)[..., 0] for name, x in given.items()}
    assert not any(x.is_contiguous() for x in strided.values())
    assert differing(models, strided, expected, 1e-5) == []
    leaves = {name: x.clone().requires_grad_(x.is_floating_point()) for name, x in given.items()}
    assert differing(models, leaves, expected, 1e-5) == []


# ------------------------------------------------------------------------------------- numbers that are not Python's

WHOLE = [np.int64, np.uint8, torch.tensor]
REAL = [np.float64, np.float32, torch.tensor]


@pytest.mark.parametrize("whole", WHOLE)
def test_every_kind_of_integer_is_an_integer(whole, clean):
    models, given, _ = clean
    one, two, three, eight = map(whole, (1, 2, 3, 8))
    side = (one, eight, eight)
    made = [
        PixelCNN(side, two, "gated", one, eight, three, three, three, True, one),
        PixelCNN(side, n_blocks=two, channels=eight),
        PixelRNN(side, two, "row", one, two, three, three, three, True, one),
        PixelRNN(side, kind="diagonal", hidden=two),
        WaveNet((eight,), two, [one, two], three, three, two, three),
        ContextTable(side, [(0, -1)], two),
        BernoulliMixture(three, side),
        Classifier(side, two, one, three),
        GMM(two, two),
        VAE(side, two, hidden=(eight,), body="convolutional", channels=two, n_samples=two),
        LinearGaussianVAE(three, one),
        Autoencoder(side, two, hidden=(eight,)),
        WarmUp(VAE(side, two, hidden=(eight,)), two),
        Generator(side, two, (eight,), "convolutional", two, three),
        Discriminator(side, (eight,), "convolutional", two, three, two),
        failing_vae.ContextVAE(side, two, (eight,), three),
    ]
    for model in made:
        sizes = [value for value in vars(model).values() if not isinstance(value, (dict, nn.Module))]
        assert not any(isinstance(value, (np.generic, Tensor)) for value in sizes), type(model).__name__
    assert made[0].sample(two, seed(), condition=torch.tensor([0, 1])).shape == (2, *SIDE)
    assert made[4].sample(two, seed(), condition=torch.tensor([0, 1]), length=three).shape == (2, 3)
    for name in ("vae", "gan", "mixture", "full", "table"):
        assert len(models[name].sample(three, seed())) == 3
    a, b = given["points"], given["points2"]
    models["vae"].importance_bound(given["binary"], two, seed(), three)
    models["vae"].log_mixture(given["binary"], given["codes"], given["log_weights"], three)
    copy.deepcopy(models["mixture"]).fit_em(given["binary"], two)
    copy.deepcopy(models["full"]).fit_em(a, max_steps=two, n_starts=two)
    DiracGAN(noise=0.1).simulate(steps=two, steps_d=two, generator=seed(), draws=three)
    for call in (
        lambda: metrics.nats(models["single"], given["binary"], batch_size=two),
        lambda: metrics.features(models["classifier"], given["images"], two),
        lambda: metrics.importance_bound(models["vae"], given["binary"], two),
        lambda: metrics.bits_per_dimension(a, eight),
        lambda: metrics.patch_frequencies(given["binary"], two),
        lambda: metrics.receptive_field(models["single"], (0, three, three), two),
        lambda: metrics.mutual_information(a[:, 0], b[:, 0], three),
        lambda: metrics.precision_recall(a, b, three),
        lambda: metrics.density_coverage(a, b, three),
        lambda: metrics.c_t(a, b, torch.cat([a, b]), two),
        lambda: metrics.cell_probabilities(lambda z: z.sum(1), a[:, 0].sort().values, two),
        lambda: data.ring(three, seed()),
        lambda: data.all_sequences(two, three),
        lambda: data.tiny_images(two),
        lambda: data.mu_law_decode(data.mu_law_encode(given["wave"], eight), eight),
        lambda: data.windows(data.SpokenWords([given["wave"]], ["five"], ["digits/5"]), eight, three, eight),
    ):
        call()


@pytest.mark.parametrize("real", REAL)
def test_every_kind_of_number_is_a_number(real, clean):
    models, given, _ = clean
    half, a, b = real(0.5), given["points"], given["points2"]
    VAE(SIDE, 2, "gaussian", hidden=(8,), sigma=half, beta=half, free_bits=half)
    GAN(Generator((2,), 2, scale=half), Discriminator((2,), scale=half), r1=half, gradient_penalty=half)
    DiracGAN(r1=half, gradient_penalty=half, noise=half, target=half).simulate((half, half), half, 3)
    assert GMM(2, 2, floor=half).floor == 0.5
    copy.deepcopy(models["full"]).fit_em(a, max_steps=2, tolerance=half)
    models["vae"].elbo(given["binary"], half, half), models["vae"].active_units(given["binary"], half)
    metrics.share_in_holes(a, b, a, half), metrics.mode_statistics(a, b[:5], half)
    metrics.birthday_support(a, half)
    failing_autoregression.turned_over(given["binary"], half, seed()), failing_vae.ContextVAE(SIDE, 2, (8,), 1, half)


def bad_calls(m, x):
    """(words of the error, the call): what makes no sense is said in one line that names the argument."""
    a, b, binary, nan = x["points"], x["points2"], x["binary"], x["points"].clone()
    p, q = x["p"], x["q"]
    nan[0, 0] = math.nan
    yield "n_samples is 0; expected at least 1", lambda: metrics.importance_bound(m["vae"], binary, 0)
    yield "n_samples is -1; expected at least 1", lambda: metrics.importance_bound(m["vae"], binary, -1)
    yield "batch_size is 0; expected at least 1", lambda: metrics.nats(m["single"], binary, batch_size=0)
    yield "batch_size is 2.5; expected an integer", lambda: metrics.features(m["classifier"], x["images"], 2.5)
    yield "n_dimensions is 0; expected at least 1", lambda: metrics.bits_per_dimension(80.0, 0)
    yield "n_probes is 0; expected at least 1", lambda: metrics.receptive_field(m["single"], (0, 1, 1), 0)
    yield "bins is 1; expected at least 2", lambda: metrics.mutual_information(a[:, 0], b[:, 0], 1)
    yield "points is 0; expected at least 1", lambda: metrics.cell_probabilities(lambda z: z[:, 0], a[:, 0], 0)
    yield "k is 40; expected a whole number from 1 to 39, for 40 points", lambda: metrics.precision_recall(a, b, 40)
    yield "k is 5; expected a whole number from 1 to 3, for 4 points", lambda: metrics.precision_recall(a, b[:4], 5)
    yield "cells is True; expected a whole number from 1 to 40", lambda: metrics.c_t(a, b, a, True)
    yield "levels is 1; expected a whole number from 2 to 65,536", lambda: data.mu_law_encode(x["wave"], 1)
    yield "length is 0; expected length ≥ 1", lambda: data.all_sequences(0, 2)
    yield "side is 5; expected 1, 2, 3 or 4", lambda: data.tiny_images(5)
    yield "n is -1; expected at least 1", lambda: data.ring(-1, seed())
    yield "n is -1; expected at least 0", lambda: m["vae"].sample(-1)
    yield r"p has shape \(5,\), q has shape \(1,\); expected the same", lambda: metrics.jensen_shannon(p, q[:1])
    yield r"p has shape \(5,\), q has shape \(4,\); expected the same", lambda: metrics.total_variation(p, q[:4])
    yield r"p has shape \(0,\)", lambda: metrics.jensen_shannon(p[:0], q[:0])
    yield "q is no distribution: from -0.5", lambda: metrics.jensen_shannon(p, p * 0 - 0.5)
    yield "p is no distribution: from nan", lambda: metrics.total_variation(p * math.nan, q)
    yield "p is no distribution: from 1 to 5, with sum 15", lambda: metrics.jensen_shannon(torch.arange(1.0, 6.0), q)
    yield "p is torch.int64; expected a floating-point tensor", lambda: metrics.total_variation(x["classes"], q)
    yield "p is a list; expected a floating-point tensor", lambda: metrics.jensen_shannon([0.5, 0.5], q)
    yield "draws holds NaN", lambda: metrics.share_in_holes(nan, a, b)
    yield "z holds NaN", lambda: metrics.kl_to_standard_normal(nan)
    yield "a holds NaN", lambda: metrics.mutual_information(nan[:, 0], a[:, 0])
    yield "a is a list; expected a torch.Tensor", lambda: metrics.mutual_information([1.0, 2.0], a[:2, 0])
    yield "images are an ndarray; expected a torch.Tensor", lambda: metrics.sharpness(x["images"].numpy())
    yield "x is an ndarray; expected a torch.Tensor", lambda: metrics.patch_frequencies(binary.numpy(), 2)
    yield "x is a list; expected a torch.Tensor", lambda: metrics.nats(m["single"], [1, 2])
    yield "x is empty; expected at least one example", lambda: metrics.nats(m["single"], binary[:0])
    yield "sigma is nan; expected a positive number", lambda: metrics.mode_statistics(a, b, math.nan)
    yield "threshold is True; expected a distance, at least 0", lambda: metrics.birthday_support(a, True)
    yield "quantile is 1; expected a number between 0 and 1", lambda: metrics.share_in_holes(a, a, b, 1)
    yield "tolerance is inf; expected a number of at least 0, finite", lambda: m["full"].fit_em(a, tolerance=math.inf)
    yield "beta is nan", lambda: m["vae"].elbo(binary, math.nan)
    yield r"neighbours are \(0, -1\); expected pairs of offsets", lambda: ContextTable(SIDE, (0, -1))
    yield "labels are torch.bool; expected a tensor", lambda: m["classifier"].loss(x["images"], x["classes"] > 0)
    yield "x is a list; expected a torch.Tensor", lambda: m["classifier"].loss([1], x["classes"])
    yield "event_shape is 8; give a tuple", lambda: BernoulliMixture(2, 8)
    yield "hidden is '88'; expected a tuple", lambda: VAE(SIDE, 2, hidden="88")
    yield r"x has shape \(\)", lambda: m["mixture"].log_prob(torch.tensor(1))
    for call in (m["single"].sample, m["vae"].sample, m["gan"].sample, m["mixture"].sample, m["full"].sample):
        yield "generator is 7; expected a torch.Generator", functools.partial(call, 2, 7)
    yield "generator is 0; expected a torch.Generator", lambda: m["full"].fit_em(a, generator=0)
    yield "generator is 0; expected a torch.Generator", lambda: metrics.c_t(a, b, torch.cat([a, b]), 2, 0)
    yield "generator is 0; expected a torch.Generator", lambda: metrics.importance_bound(m["vae"], binary, 2, 0)
    yield "generator is 0; expected", lambda: metrics.receptive_field(m["single"], (0, 1, 1), generator=0)
    yield "condition is a list; expected a tensor of class", lambda: m["words gan"].sample(2, None, [0, 1])
    yield r"condition has shape \(3,\); expected \(2,\)", lambda: m["words gan"].sample(2, None, x["classes"][:3])
    yield (
        "target is -1; expected a number of at least 0",
        lambda: gradient_penalty(m["gan"].discriminator, x["images"], x["others"], seed(), -1),
    )


def test_what_makes_no_sense_is_said_in_one_line(clean):
    models, given, _ = clean
    for words, call in bad_calls(models, given):
        with pytest.raises((TypeError, ValueError), match=words) as raised:
            call()
        assert "\n" not in str(raised.value), words
