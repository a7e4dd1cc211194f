"""EM of the course beside scikit-learn's, from the same start, in one run; and how its cost grows.

    python benchmarks/gmm.py            both, about two minutes on two cores
    python benchmarks/gmm.py beside     or: growth, which writes gmm_growth.png beside this file

scikit-learn comes with the extra [test]. Machines are noisy: only ratios of one run mean something.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import time
import warnings

import torch
from run import row

from gencourse import data
from gencourse.models import GMM

THREADS = 2
CALM = {"n": 30_000, "K": 50, "D": 50}  # the sizes from which one is varied
SIZES = {"n": (7_500, 15_000, 30_000, 60_000), "K": (12, 25, 50, 100), "D": (12, 25, 50, 100)}


def digits(n_features):
    """The 60,000 training digits on their first principal axes, with pixels in [0, 1]: (60000, n_features) float64."""
    images = torch.cat([data.mnist(split)[0] for split in ("train", "validation")])
    x = images.flatten(1).double() / 255
    x -= x.mean(0)
    _, axes = torch.linalg.eigh(x.T @ x)
    return x @ axes.flip(1)[:, :n_features]


def beside(n_steps=2, repeat=3):
    """The same start, the same steps, and the likelihood after them; medians of interleaved repetitions."""
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    print("| what | scikit-learn | here | ratio | parameters |\n|---|---|---|---|---|")
    x, names = digits(50), {"full": "full", "diagonal": "diag", "spherical": "spherical"}
    for kind, name in names.items():
        start = GMM(100, 50, kind)
        start.fit_em(x, max_steps=0)
        c = start.covariances
        theirs = GaussianMixture(
            100,
            covariance_type=name,
            tol=0,
            max_iter=n_steps,
            weights_init=start.weights.numpy(),
            means_init=start.means.numpy(),
            precisions_init=(torch.linalg.inv(c) if kind == "full" else 1 / c).numpy(),
        )
        took = {"theirs": [], "ours": []}
        for _ in range(repeat):
            with threadpool_limits(THREADS), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that it has not converged
                begin = time.perf_counter()
                theirs.fit(x.numpy())
                took["theirs"].append(time.perf_counter() - begin)
            ours = GMM(100, 50, kind)
            ours.load_state_dict(start.state_dict())
            begin = time.perf_counter()
            ours.fit_em(x, start="present", max_steps=n_steps, tolerance=0)
            took["ours"].append(time.perf_counter() - begin)
        pairs = [(ours.weights, theirs.weights_), (ours.means, theirs.means_), (ours.covariances, theirs.covariances_)]
        apart = max((a - torch.from_numpy(b)).abs().max().item() for a, b in pairs)
        row(
            f"{n_steps} steps of EM, 60,000 × 50, 100 {kind} components",
            statistics.median(took["theirs"]),
            statistics.median(took["ours"]),
            f"apart by {apart:.0e}",
        )


def measure(n, k, d):
    """Print the least seconds of an EM step, and by how many bytes the process grew at most, as JSON (Linux only)."""
    import psutil

    x = torch.randn(n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    model = GMM(k, d)
    model.fit_em(x[: 5 * d], max_steps=0)  # on a few, so that all that is loaded late is there
    pathlib.Path("/proc/self/clear_refs").write_text("5", "utf-8")  # forget the most memory that was held so far
    before = psutil.Process().memory_info().rss
    model.em_step(x, [])
    peak = pathlib.Path("/proc/self/status").read_text("utf-8").split("VmHWM:")[1].split()[0]  # in KiB
    took = []
    for _ in range(6):
        begin = time.perf_counter()
        model.em_step(x, [])
        took.append(time.perf_counter() - begin)
    print(json.dumps([min(took), int(peak) * 1024 - before]))


def growth():
    """Seconds and memory of one step against n, K and D, each in a process of its own; writes gmm_growth.png."""
    import matplotlib.pyplot as plt

    from gencourse import plots

    plots.use_style()
    figure, axes = plt.subplots(2, 3, figsize=(14, 7.5), sharey="row", layout="constrained")
    words = {"n": "examples n", "K": "components K", "D": "features D"}
    for column, (what, values) in zip(axes.T, SIZES.items()):
        seconds, mebibytes, array = [], [], []
        for value in values:
            n, k, d = ({**CALM, what: value}[name] for name in "nKD")
            command = [sys.executable, __file__, "measure", str(n), str(k), str(d)]
            result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seconds.append(result[0])
            mebibytes.append(result[1] / 2**20)
            array.append(n * k * d * 8 / 2**20)
            print(f"n = {n}, K = {k}, D = {d}: {seconds[-1]:.3g} s, {mebibytes[-1]:.0f} MiB", flush=True)
        rest = ", ".join(f"{name} = {size:,}" for name, size in CALM.items() if name != what)
        plots.growth(values, {"one step": seconds}, xlabel="", ax=column[0])
        memory = {"one step": mebibytes, "an n×K×D array": array}
        plots.growth(values, memory, xlabel=f"{words[what]} ({rest})", ax=column[1])
    for ax in axes.flat:
        ax.set_ylabel("")
    axes[0, 0].set_ylabel("seconds")
    low, high = axes[0, 0].get_ylim()
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if low < tick < high]
    axes[0, 0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[1, 0].set_ylabel("MiB beside the data")
    figure.savefig(pathlib.Path(__file__).with_name("gmm_growth.png"), dpi=100)


if __name__ == "__main__":
    torch.set_num_threads(THREADS)
    if sys.argv[1:2] == ["measure"]:
        measure(*map(int, sys.argv[2:]))
        sys.exit()
    parts = {part.__name__: part for part in (beside, growth)}
    print(f"PyTorch {torch.__version__}, {THREADS} threads\n")
    for name in sys.argv[1:] or parts:
        parts[name]()
