"""Laws of the Row LSTM and the Diagonal BiLSTM. Weights are made large, so that a leak would be large too."""

from itertools import product

import pytest
import torch

from gencourse.models import PixelRNN
from gencourse.models.pixelrnn import skew, unskew

KINDS = ("row", "diagonal")
EXTRAS = ({}, {"place_bias": True}, {"fourier": 3})
with_extras = pytest.mark.parametrize("extras", EXTRAS, ids=["papers", "place_bias", "fourier"])


def build(event_shape, levels=2, kind="row", n_layers=1, scale=3.0, seed=0, **sizes):
    sizes = {"hidden": 4, "first_kernel": 3, **sizes}
    model = PixelRNN(event_shape, levels, kind, n_layers, **sizes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            spread = scale / parameter.shape[-2 if kind == "diagonal" and parameter.dim() == 3 else -1] ** 0.5
            parameter.uniform_(-spread, spread, generator=generator)
    return model


def random_images(n, event_shape, levels=2, seed=1):
    return torch.randint(levels, (n, *event_shape), generator=torch.Generator().manual_seed(seed))


def both_samples(model, n, **given):
    """Cached and uncached, under the same generator state."""
    return [model.sample(n, torch.Generator().manual_seed(3), cached, **given) for cached in (True, False)]


def seen_from(model, row, column):
    """(H, W) True where the logits at (row, column) change with the pixel, by gradient."""
    _, height, width = model.event_shape
    x = random_images(8, model.event_shape, model.levels).float().requires_grad_()
    logits = model.logits(x)[:, :, 0, row, column]
    weights = torch.randn(logits.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((logits * weights).sum(), x)
    return (gradient != 0).any(0)[0]


def triangle(height, width, row, column, side, reach, n_layers):
    """What a Row LSTM sees: arXiv:1601.06759, figure 4, with the first convolution counted.

    A state reads states one row up and k//2 = `side` columns to both sides. Within a row each layer reaches
    `side` columns further to the left, none to the right (mask B). The first convolution adds `reach` columns
    on the left; on the right it adds them only in the rows above its own (mask A). So from m ≥ 1 rows above

        column - (m + n_layers)·side - reach  …  column + (m - 1)·side + reach,

    and in the own row from column - n_layers·side - reach to column - 1. (For side ≤ reach + 1.)
    """
    seen = torch.zeros(height, width, dtype=torch.bool)
    for i in range(row + 1):
        m = row - i
        first = column - (m + n_layers) * side - reach
        last = column + (m - 1) * side + reach if m else column - 1
        seen[i, max(first, 0) : max(last + 1, 0)] = True
    return seen


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels, height, width", [(2, 3, 3), (3, 2, 2), (2, 2, 3), (2, 3, 2), (2, 1, 4), (2, 4, 1)])
def test_probabilities_of_all_images_sum_to_one(kind, n_layers, levels, height, width):
    model = build((1, height, width), levels, kind, n_layers)
    images = torch.tensor(list(product(range(levels), repeat=height * width))).view(-1, 1, height, width)
    log_p = model.log_prob(images).double()
    assert log_p.std() > 0.3, "the test has no power over a nearly uniform model"
    assert log_p.exp().sum().item() == pytest.approx(1, abs=1e-5)


@with_extras
@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("kernel_size", [3, 5])
@pytest.mark.parametrize("kind", KINDS)
def test_present_and_future_have_no_gradient(kind, kernel_size, n_layers, extras):
    height, width = 4, 5
    model = build((1, height, width), 3, kind, n_layers, kernel_size=kernel_size, **extras)
    for i in range(height * width):
        seen = seen_from(model, *divmod(i, width)).flatten()
        assert not seen[i:].any(), f"position {i} sees {i + seen[i:].nonzero().flatten()}"
        assert i == 0 or seen[:i].any()


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("height, width", [(4, 7), (6, 3)])
def test_diagonal_sees_all_of_the_past(height, width, n_layers):
    model = build((1, height, width), 2, "diagonal", n_layers, scale=1.5)
    for i in range(height * width):
        seen = seen_from(model, *divmod(i, width)).flatten()
        assert seen[:i].all(), f"position {i} does not see {(~seen[:i]).nonzero().flatten()}"


@pytest.mark.parametrize("kernel_size, first_kernel, n_layers", [(3, 3, 1), (3, 5, 2), (5, 3, 1), (5, 7, 2), (1, 3, 2)])
def test_row_sees_exactly_the_triangle(kernel_size, first_kernel, n_layers):
    height, width = 5, 13
    sizes = {"kernel_size": kernel_size, "first_kernel": first_kernel}
    model = build((1, height, width), 2, "row", n_layers, scale=1.5, **sizes)
    for row, column in [(0, 0), (0, 12), (1, 6), (2, 0), (3, 9), (4, 0), (4, 6), (4, 12)]:
        theory = triangle(height, width, row, column, kernel_size // 2, first_kernel // 2, n_layers)
        assert torch.equal(seen_from(model, row, column), theory), (row, column)


@with_extras
@pytest.mark.parametrize("n_classes", [None, 3])
@pytest.mark.parametrize("n_layers, kernel_size", [(1, 3), (2, 5)])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels, height, width", [(2, 5, 4), (4, 3, 6), (2, 1, 3), (2, 3, 1)])
def test_cached_sampling_is_uncached_sampling(kind, n_layers, kernel_size, levels, height, width, n_classes, extras):
    shape = (1, height, width)
    sizes = dict(kernel_size=kernel_size, n_classes=n_classes, **extras)
    model = build(shape, levels, kind, n_layers, **sizes)
    condition = None if n_classes is None else torch.tensor([0, 2, 1, 0, 0])
    fast, slow = both_samples(model, 5, condition=condition)
    assert fast.shape == (5, *shape) and fast.dtype == torch.uint8
    assert torch.equal(fast, slow)
    values = fast.long().flatten(1)
    with torch.no_grad():
        step = model.stepper(5, condition)
        steps = torch.stack([step(values[:, i - 1] if i else None) for i in range(height * width)], -1)
        expected = model.logits(fast, condition).flatten(2)
    assert expected.std() > 0.1
    torch.testing.assert_close(steps, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_stepper_follows_the_weights_of_the_moment(kind):
    model = build((1, 3, 4), 2, kind)
    model.sample(1, torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.neg_()
    fast, slow = both_samples(model, 9)
    assert torch.equal(fast, slow)


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_what_its_items_give(kind):
    model = build((1, 4, 6), 3, kind, 2, n_classes=2)
    x, condition = random_images(5, model.event_shape, 3), torch.tensor([0, 1, 1, 0, 1])
    together = model.log_prob(x, condition)
    apart = torch.cat([model.log_prob(x[k : k + 1], condition[k : k + 1]) for k in range(5)])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, 3, 4])
def test_prefix_is_kept_and_decides_what_follows(kind, rows):
    model = build((1, 4, 5), 2, kind)
    prefix = random_images(6, (1, rows, 5))
    fast, slow = both_samples(model, 6, prefix=prefix)
    assert torch.equal(fast[:, :, :rows].long(), prefix)
    assert torch.equal(fast, slow)


@pytest.mark.parametrize("height, width", [(3, 3), (2, 5), (5, 2), (1, 4), (4, 1)])
def test_skew_against_a_loop_and_its_inverse(height, width):
    x = torch.arange(1.0, 1 + 6 * height * width).view(2, 3, height, width)
    expected = torch.zeros(2, 3, height, width + height - 1)
    for i in range(height):
        expected[:, :, i, i : i + width] = x[:, :, i]
    assert torch.equal(skew(x), expected)
    assert torch.equal(unskew(expected, width), x)


@pytest.mark.parametrize("n_layers", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_every_parameter_gets_a_gradient(kind, n_layers):
    model = build((1, 5, 6), 3, kind, n_layers, scale=1.0, n_classes=2)
    model.loss(random_images(8, model.event_shape, 3), torch.arange(8) % 2).backward()
    for name, parameter in model.named_parameters():
        reached = parameter.grad != 0
        if name.startswith("head"):
            assert reached.any(), name  # a unit of the head may be below its ReLU for all of these images
        elif name == "first.weight":
            assert torch.equal(reached, model.first.mask.bool().expand_as(reached)), name
        else:
            assert reached.all(), name


@pytest.mark.parametrize("kind", KINDS)
def test_bfloat16_autocast_gives_nearly_the_same_loss(kind):
    model = build((1, 8, 9), 2, kind, 2, scale=1.0, hidden=8)
    x = random_images(16, model.event_shape)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model.loss(x)
    loss.backward()
    assert loss.item() == pytest.approx(-model.log_prob(x).mean().item(), rel=0.01)


@pytest.mark.parametrize(
    "error, changes",
    [
        (ValueError, {"kind": "column"}),
        (ValueError, {"kind": ["row"]}),
        (ValueError, {"event_shape": (3, 8, 8)}),
        (ValueError, {"event_shape": (8, 8)}),
        (ValueError, {"n_layers": 0}),
        (TypeError, {"n_layers": 1.5}),
        (ValueError, {"hidden": 0}),
        (ValueError, {"kernel_size": 4}),
        (ValueError, {"first_kernel": 1}),
        (ValueError, {"n_classes": 0}),
        (ValueError, {"levels": 1}),
    ],
)
def test_constructor_says_what_is_wrong(error, changes):
    with pytest.raises(error, match=str(next(iter(changes)))):
        PixelRNN(**{"event_shape": (1, 8, 8), **changes})


def test_first_kernel_must_be_odd():
    with pytest.raises(ValueError, match="is 6; .*odd"):
        PixelRNN((1, 8, 8), first_kernel=6)


@pytest.mark.parametrize("kind", KINDS)
def test_bad_input_is_refused(kind):
    model = build((1, 4, 5), 2, kind)
    good = torch.zeros(2, 1, 4, 5, dtype=torch.uint8)
    with pytest.raises(ValueError, match="shape"):
        model.log_prob(good.transpose(2, 3))
    with pytest.raises(ValueError, match="shape"):
        model.logits(good[:, 0])
    with pytest.raises(ValueError, match="levels"):
        model.log_prob(good + 2)
    with pytest.raises(TypeError, match="dtype"):
        model.log_prob(good.float())
    with pytest.raises(ValueError, match="empty"):
        model.log_prob(good[:0])
    with pytest.raises(ValueError, match="condition"):
        model.sample(1, condition=torch.tensor([0]))
    with pytest.raises(ValueError, match="n is -1"):
        model.sample(-1)
    assert model.sample(0).shape == (0, 1, 4, 5)
