"""Time the fast paths beside the plain ones, in one run, and print the ratios as a table.

    python benchmarks/run.py            all of it, about twenty minutes on two cores
    python benchmarks/run.py sampling   or: stored, sound, training, epochs, growth, workers

Machines are noisy: only ratios of one run mean something. Medians of interleaved repetitions.
"""

import contextlib
import statistics
import sys
import tempfile
import time

import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from gencourse import checkpoints, data, metrics, study
from gencourse.checkpoints.tasks import TASKS
from gencourse.models import PixelCNN, PixelRNN, WaveNet
from gencourse.models.cached import wavenet
from gencourse.models.causal import MaskedConv2d
from gencourse.models.pixelcnn import ResidualBlock
from gencourse.training import fit, native_bfloat16, schedule


def seconds(function, repeat=3):
    """Median of `repeat` calls, after one to warm up."""
    function()
    took = []
    for _ in range(repeat):
        start = time.perf_counter()
        function()
        took.append(time.perf_counter() - start)
    return statistics.median(took)


def row(name, plain, fast, note=""):
    print(f"| {name} | {plain:.3g} s | {fast:.3g} s | **{plain / fast:.1f}×** | {note} |", flush=True)


def sampling():
    """64 images of 28×28, the textbook loop (measured over the last rows, every pixel costs the same) and cached."""
    models = {
        "PixelCNN, one stack, 15 blocks, 32 channels": PixelCNN((1, 28, 28), n_blocks=15, channels=32),
        "PixelCNN, two stacks, 5 blocks, 32 channels": PixelCNN((1, 28, 28), stacks="gated", n_blocks=5, channels=32),
        "PixelRNN, Row LSTM, h = 16": PixelRNN((1, 28, 28), kind="row"),
        "PixelRNN, Diagonal BiLSTM, h = 16": PixelRNN((1, 28, 28), kind="diagonal"),
    }
    prefix = torch.zeros(64, 1, 26, 28, dtype=torch.uint8)
    for name, model in models.items():
        fast = seconds(lambda model=model: model.sample(64))
        plain = seconds(lambda model=model: model.sample(64, cached=False, prefix=prefix), 1) * 14
        row(f"64 images, {name}", plain, fast, "textbook loop: 56 of 784 pixels, scaled")


def stored(n=64):
    """The stored autoregressive models: sampling beside one parallel pass over the same batch, the least it could cost.

    The pass is `log_prob`: all conditionals of known images, in float32 as sampling is.
    """
    print("\n| what | one pass | sampling | passes | how |\n|---|---|---|---|---|")
    for name in ("pixelcnn", "pixelcnn-large", "pixelcnn-grey", "pixelrnn-row", "pixelrnn-diagonal"):
        model, _ = checkpoints.load(name)
        x = model.sample(n)
        with torch.no_grad():
            least = seconds(lambda model=model, x=x: model.log_prob(x), 5)
        against_pass(f"{n} images, `{name}`", least, seconds(lambda model=model: model.sample(n)))
    model, _ = checkpoints.load("wavenet")
    word = torch.tensor([0])
    x = model.sample(1, condition=word)
    with torch.no_grad():
        least = seconds(lambda: model.log_prob(x, word), 5)
    layers = f"{len(model.dilations)} layers"

    def speech():
        model.sample(1, condition=word)

    against_pass(f"1 s of sound, `wavenet`, {layers}", least, seconds(speech), "compiled by Numba")
    with stepper_only():
        against_pass("the same, without Numba", least, seconds(speech, 1), "the stepper")


def against_pass(name, least, fast, note=""):
    print(f"| {name} | {least:.3g} s | {fast:.3g} s | **{fast / least:.1f}×** | {note} |", flush=True)


@contextlib.contextmanager
def stepper_only():
    """Sampling without the compiled loop."""
    is_compiled, wavenet.is_compiled = wavenet.is_compiled, lambda model, n: False
    try:
        yield
    finally:
        wavenet.is_compiled = is_compiled


def one_pass(model, length, repeat=5):
    """Seconds for one pass of a WaveNet over so many samples."""
    return seconds(lambda: model.logits(torch.zeros(1, length, dtype=torch.long)), repeat)


def sound():
    """One second of 8 kHz sound from 18 layers; the textbook loop at four lengths of the past, every 2,000 samples."""
    model = WaveNet((8000,), dilations=2 * [2**i for i in range(9)])
    fast = seconds(lambda: model.sample(1))
    window = model.receptive_field
    with torch.no_grad():
        whole = [one_pass(model, n) for n in (1, 2000, 4000, 6000, 8000)]
        recent = one_pass(model, window, 20)
    plain = 2000 * (sum(whole) - (whole[0] + whole[-1]) / 2)  # trapezoids
    row("1 s of sound, WaveNet of 18 layers", plain, fast, "textbook loop: the whole past, integrated over 5 lengths")
    row("the same, a pass over the receptive field only", 8000 * recent, fast, f"{window} samples a pass")


class PlainMasked(MaskedConv2d):
    """The same function as it is written first: a full k×k kernel with zeros below."""

    def forward(self, x):
        weight = F.pad(self.masked_weight(), (0, 0, 0, self.kernel_size[1] // 2))
        return F.conv2d(x, weight, self.bias, padding=self.kernel_size[1] // 2)


class PlainBlock(ResidualBlock):
    """The same function as it is written first."""

    def forward(self, h):
        return h + self.expand(F.relu(self.masked(F.relu(self.reduce(F.relu(h))))))


def plain(model):
    for module in model.modules():
        for fast, slow in ((MaskedConv2d, PlainMasked), (ResidualBlock, PlainBlock)):
            if type(module) is fast:
                module.__class__ = slow
    return model


def plain_loop(model, images, steps, batch_size=64, lr=4e-3):
    """`fit` with nothing but what it needs, in float32: seconds a step."""
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr, betas=(0.9, 0.99))
    start = time.perf_counter()
    for step in range(steps):
        index = torch.randint(len(images), (batch_size,), generator=generator)
        for group in optimizer.param_groups:
            group["lr"] = lr * schedule(step, steps)
        optimizer.zero_grad()
        loss = model.loss(data.binarise(images[index], generator))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return (time.perf_counter() - start) / steps


SHAPES = (  # blocks, channels, stacks
    (5, 32, "single"), (15, 32, "single"), (15, 64, "single"), (5, 32, "gated"),
)  # fmt: skip


def training(rounds=6, steps=300):
    """A training step of 64 images, taken in turns; and the likelihood after equal steps, of the first."""
    if not native_bfloat16():
        print("no native bfloat16 here: `fit` takes float32 by itself, nothing to compare")
    images = data.mnist("train")[0]
    test = data.binarise(data.mnist("test")[0], torch.Generator().manual_seed(0))[:2000]

    def pair(n_blocks, channels, stacks):
        models = []
        for kind in ("plain", "fast"):
            torch.manual_seed(0)
            model = PixelCNN((1, 28, 28), n_blocks=n_blocks, channels=channels, stacks=stacks)
            models.append(plain(model) if kind == "plain" else model)
        return models

    def ours(model, steps):
        return fit(model, images, steps=steps, lr=4e-3, prepare=data.binarise).seconds / steps

    for shape in SHAPES:
        slow, fast = pair(*shape)
        took = [(plain_loop(slow, images, 4), ours(fast, 4)) for _ in range(rounds)]
        row("training step of 64, PixelCNN {} × {}, {}".format(*shape), *map(statistics.median, zip(*took)))
    slow, fast = pair(*SHAPES[0])
    plain_loop(slow, images, steps), ours(fast, steps)
    nats = [metrics.nats(model, test).mean().item() for model in (slow, fast)]
    print(f"after {steps} equal steps {nats[0]:.2f} nats plain, {nats[1]:.2f} here")


def epochs(steps=5):
    """Seconds an epoch of the recipes, by float32 and by what `fit` chooses; and what the products alone would take.

    The limit counts the multiplications of a step's convolutions and matrix products, forward and backward, at the rate
    of one large matrix product on this machine, in the precision that `fit` chooses.
    """
    rates = {dtype: rate(dtype) for dtype in (torch.float32, torch.bfloat16)}
    told = ", ".join(f"{dtype} {value / 1e9:.0f} GFLOP/s".removeprefix("torch.") for dtype, value in rates.items())
    print(f"\nA product of two 2,048 × 2,048 matrices: {told}\n")
    print("| an epoch of | float32 | here | ratio | products alone |\n|---|---|---|---|---|")
    for name in (
        "pixelcnn",
        "pixelcnn-large",
        "pixelrnn-row",
        "pixelrnn-diagonal",
        "pixelcnn-grey",
        "vae",
        "vae-gated",
        "wavenet",
    ):
        recipe = checkpoints.RECIPES[name]
        task, settings = TASKS[recipe["task"]](), recipe["fit"] | {"steps": steps}
        took = {"float32": [], "auto": []}
        for precision in (*took, *took, *took):  # in turns; the first of each warms up
            history = fit(
                recipe["model"](**recipe["build"]),
                task.x,
                condition=task.condition,
                prepare=task.prepare,
                **(settings | {"precision": precision}),
            )
            took[precision].append(history.seconds / steps)
        batches = len(task.x) / settings["batch_size"]
        plain, fast = (batches * statistics.median(values[1:]) for values in took.values())
        dtype = torch.bfloat16 if history.precision == "bfloat16" else torch.float32
        limit = batches * operations(recipe, task) / rates[dtype]
        print(
            f"| `{name}` | {plain:.0f} s | {fast:.0f} s | **{plain / fast:.1f}×** | {limit:.0f} s, "
            f"{limit / fast:.0%} of it |",
            flush=True,
        )


def rate(dtype, size=2048):
    """Operations a second of a large matrix product."""
    a, b = torch.randn(2, size, size).to(dtype)
    return 2 * size**3 / seconds(lambda: a @ b, 7)


def operations(recipe, task) -> int:
    """Floating-point operations of one step's products, forward and backward."""
    model, x = recipe["model"](**recipe["build"]), task.x[: recipe["fit"]["batch_size"]]
    given = () if task.condition is None else (task.condition[: len(x)],)
    x = x if task.prepare is None else task.prepare(x, torch.Generator().manual_seed(0))
    with FlopCounterMode(display=False) as counter:
        model.loss(x, *given).backward()
    return counter.get_total_flops()


def growth():
    """Cost of one sample against image side and against length; writes growth.png beside this file."""
    import pathlib

    import matplotlib.pyplot as plt

    from gencourse import plots

    plots.use_style()
    figure, axes = plt.subplots(1, 2, figsize=(12, 4.5), layout="constrained")
    sides, lengths = (12, 16, 24, 32, 48), (2000, 4000, 8000, 16000, 32000)
    images, sounds = {"textbook": [], "cached": []}, {"textbook": [], "cached": []}
    for side in sides:
        model = PixelCNN((1, side, side), n_blocks=5, channels=32)
        images["cached"].append(seconds(lambda model=model: model.sample(16)))
        rows = torch.zeros(16, 1, side - 2, side, dtype=torch.uint8)
        two_rows = seconds(lambda model=model, rows=rows: model.sample(16, cached=False, prefix=rows), 1)
        images["textbook"].append(two_rows * side / 2)
    model = WaveNet((8000,), dilations=2 * [2**i for i in range(9)])
    with torch.no_grad():
        for length in lengths:
            sounds["cached"].append(seconds(lambda length=length: model.sample(1, length=length), 1))
            sounds["textbook"].append(one_pass(model, length // 2) * length)  # the mean pass is half as long
    xlabel = "pixels in the image (16 images, PixelCNN of 5 blocks)"
    plots.growth([s * s for s in sides], images, xlabel=xlabel, ax=axes[0])
    plots.growth(lengths, sounds, xlabel="samples of sound (WaveNet, 18 layers)", ax=axes[1])
    figure.savefig(pathlib.Path(__file__).with_name("growth.png"), dpi=100)
    print("growth.png", images, sounds)


def workers(runs=8):
    """One study with one process and with two, everything included: starting them, and writing the results."""

    def took(workers):
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            study.run("stupid-judge", seeds=runs, folder=folder, workers=workers)
            return time.perf_counter() - start

    one, two = (statistics.median(times) for times in zip(*[(took(1), took(2)) for _ in range(3)]))
    row(f"{runs} runs of the study stupid-judge, one worker and two", one, two, "median of 3 in turns")


if __name__ == "__main__":
    torch.manual_seed(0)
    parts = {part.__name__: part for part in (sampling, stored, sound, training, epochs, growth, workers)}
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads, native bfloat16: {native_bfloat16()}\n")
    print("| what | plain | here | ratio | how |\n|---|---|---|---|---|")
    for name in sys.argv[1:] or parts:
        parts[name]()
