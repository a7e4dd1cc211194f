"""A failure of autoregressive models: what is drawn is never taken back, so that a wrong beginning stays."""

import torch
import torch.nn.functional as F
from torch import Tensor

from gencourse import checkpoints, data, metrics
from gencourse.models.settings import usual_settings
from gencourse.support.checks import number, positive_integer


@usual_settings()
@torch.no_grad()
def wrong_prefix(seed: int, *, flipped: float = 0.0, rows: int = 12) -> dict[str, float]:
    """The stored PixelCNN completes digits whose upper rows are partly wrong: does it recover?

    Of 64 binarised test digits the first `rows` rows are given, a share `flipped` of their pixels turned over; the
    model draws the rest, twice: after these rows and, as the control, with the same random numbers after the right
    ones. An autoregressive model never revises, and was trained on right beginnings only (exposure bias: Bengio et
    al., arXiv:1506.03099, section 1; Ranzato et al., arXiv:1511.06732, section 1). Whole images are judged with the
    right rows put back, so that only what the model drew can be at fault. Returns

        recognised: share of the completed images that the stored classifier gives the true class.
        plausible: share that lies within the manifold of 2,000 other test digits, on features of the classifier
            (the precision of Kynkäänniemi et al., arXiv:1904.06991, section 2, with k = 3).
        nats_rest: −log P of the pixels that were drawn, given all before, by the model itself: nats per pixel.
        nats_true: the same of the true continuation after the rows that were given.
        excess_first, excess_last: by how much nats_true is above that of the control in the upper and in the lower
            half of the missing rows, nats per pixel: an error that is forgotten falls from one to the other.
        control_recognised, control_plausible, control_nats_rest, control_nats_true: after the right rows; with
            flipped = 0 they are the same numbers.
        true_recognised, true_plausible: of the true digits, the most that can be hoped for.
    """
    rows = positive_integer("rows", rows, most=26, expected="1 to 26 of the 28 rows")
    flipped = number("flipped", flipped, "a share, 0 to 1", most=1)
    model, judge = checkpoints.load("pixelcnn")[0], checkpoints.load("classifier")[0]
    generator = torch.Generator().manual_seed(seed)
    images, labels = data.mnist("test")
    chosen = torch.randperm(len(images), generator=generator)[:2064]
    x = data.binarise(images[chosen], generator)
    true, others, label = x[:64], x[64:], labels[chosen[:64]]
    given = turned_over(true[:, :, :rows], flipped, generator)
    around = metrics.features(judge, others)  # (2000, F)

    def judged(completed: Tensor) -> dict[str, float]:
        """Shares of images that are recognised, and plausible."""
        whole = torch.cat([true[:, :, :rows], completed[:, :, rows:]], 2)
        h = judge.features(whole)
        right = (judge.head(h).argmax(1) == label).double().mean().item()
        return {"recognised": right, "plausible": metrics.precision_recall(around, h).precision}

    draws = int(torch.randint(2**31, (), generator=generator))
    result, rest = {}, {}
    for whose, prefix in {"": given, "control_": true[:, :, :rows]}.items():
        completed = model.sample(64, torch.Generator().manual_seed(draws), prefix=prefix)
        continued = torch.cat([prefix, true[:, :, rows:]], 2)
        rest[whose] = nats_by_row(model, continued)[rows:]
        told = judged(completed) | {
            "nats_rest": nats_by_row(model, completed)[rows:].mean().item(),
            "nats_true": rest[whose].mean().item(),
        }
        result |= {whose + key: value for key, value in told.items()}
    first, last = (rest[""] - rest["control_"]).tensor_split(2)  # (rows missing / 2,) each
    result |= {"excess_first": first.mean().item(), "excess_last": last.mean().item()}
    return result | {"true_" + key: value for key, value in judged(true).items()}


def turned_over(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Binary images with exactly this share (rounded) of all pixels of the batch turned over, at random places."""
    flips = torch.zeros(x.numel(), dtype=torch.uint8, device=x.device)
    places = torch.randperm(x.numel(), generator=generator, device=generator.device)
    flips[places[: round(number("share", share, "a share, 0 to 1", most=1) * x.numel())].to(x.device)] = 1
    return x ^ flips.view_as(x)


def nats_by_row(model: torch.nn.Module, x: Tensor) -> Tensor:
    """−log P of each pixel given those before, averaged over images and columns: (N, 1, H, W) -> (H,) nats."""
    return F.cross_entropy(model.logits(x), x.long(), reduction="none").mean((0, 1, 3))
