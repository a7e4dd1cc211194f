"""Laws of the classifier, what its checkpoint reaches, and what the yardsticks say of digits seen through it."""

import copy
import math

import pytest
import torch

from gencourse import checkpoints, data, metrics
from gencourse.checkpoints import tasks
from gencourse.models import Classifier
from gencourse.training import fit


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def small(event_shape=(1, 8, 8), n_classes=3, channels=2, n_features=7, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Classifier(event_shape, n_classes, channels, n_features)


def images(n=6, shape=(1, 8, 8), seed=1):
    return torch.rand(n, *shape, generator=generator(seed))


# ------------------------------------------------------------------------------------------------- the model


@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 9, 15)])
def test_the_last_layer_is_linear_in_the_features(shape):
    model, x = small(shape), images(shape=shape)
    h = model.features(x)
    assert h.shape == (6, 7) and model.n_features == 7
    torch.testing.assert_close(model(x), h @ model.head.weight.T + model.head.bias)


def test_each_image_is_judged_by_itself_and_nothing_changes():
    model, x = small(), images()
    before, state = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    model.train()
    logits = model(x)
    torch.testing.assert_close(torch.cat([model(one) for one in x.split(1)]), logits)
    torch.testing.assert_close(model(x.flip(0)).flip(0), logits)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)


def test_the_loss_is_the_cross_entropy():
    model, x, labels = small(), images(), torch.tensor([0, 1, 2, 2, 1, 0])
    p = model(x).detach().double().exp()
    p = p / p.sum(1, keepdim=True)
    by_hand = -sum(math.log(p[i, labels[i]]) for i in range(6)) / 6
    assert model.loss(x, labels).item() == pytest.approx(by_hand, rel=1e-5)
    assert model.loss(x, labels.to(torch.uint8)).item() == pytest.approx(by_hand, rel=1e-5)


def test_gradients_reach_every_weight_and_every_pixel():
    model, x = small(), images().requires_grad_()
    model.loss(x, torch.tensor([0, 1, 2, 2, 1, 0])).backward()
    assert all(p.grad.abs().sum() > 0 for p in model.parameters())
    assert (x.grad != 0).double().mean() > 0.9  # so that images can be made that please it


def test_binary_images_may_be_whole_numbers():
    model, x = small(), images().round()
    assert torch.equal(model(x.to(torch.uint8)), model(x)) and torch.equal(model(x > 0.5), model(x))


def test_fit_teaches_it():
    x = 0.3 * images(300)
    labels = torch.randint(3, (300,), generator=generator())
    for i in range(3):
        x[labels == i, :, :, 2 * i + 1] += 0.6  # a bar in one of three columns
    model = small()
    history = fit(model, x[:200], condition=labels[:200], steps=150, batch_size=50, lr=1e-2, precision="float32")
    assert history.loss[0] == pytest.approx(math.log(3), abs=0.3) and history.loss[-1] < 0.1
    assert (model(x[200:]).argmax(1) == labels[200:]).double().mean() > 0.97


# ----------------------------------------------------------------------------------------------- its training


def test_digits_are_moved_every_way_and_nothing_is_lost():
    x = torch.zeros(3000, 1, 9, 11, dtype=torch.uint8)
    x[:, 0, 4, 5] = torch.arange(3000) % 255 + 1
    x[:, 0, 5, 5] = 7
    before = x.clone()
    moved = tasks.shifted(x, 2, generator())
    assert moved.shape == x.shape and moved.dtype == torch.uint8 and torch.equal(x, before)
    where = [(moved[i, 0] == x[i, 0, 4, 5]).nonzero()[0].tolist() for i in range(3000) if x[i, 0, 4, 5] != 7]
    counts = torch.zeros(5, 5)
    for row, column in where:
        counts[row - 2, column - 3] += 1
    assert counts.min() > 75 and counts.max() < 170  # 120 each
    assert torch.equal(moved.flatten(1).sum(1), x.flatten(1).sum(1))
    for i in (0, 1, 2, 100):
        row, column = (moved[i, 0] == x[i, 0, 4, 5]).nonzero()[0].tolist()
        assert torch.equal(moved[i, 0], x[i, 0].roll((row - 4, column - 5), (0, 1)))
    edge = torch.full((200, 1, 4, 4), 9, dtype=torch.uint8)
    assert set(tasks.shifted(edge, 1, generator()).flatten().tolist()) == {0, 9}  # paper comes in


def test_every_second_digit_is_binary():
    x = data.mnist("validation")[0][:100]
    batch = tasks.grey_and_binary(x, generator())
    assert batch.shape == x.shape and batch.dtype == torch.float32
    assert set(batch[::2].flatten().tolist()) == {0, 1}
    grey = batch[1::2]
    assert 0 <= grey.min() and grey.max() <= 1 and len(grey.unique()) > 100
    assert batch[::2].mean() == pytest.approx(grey.mean().item(), rel=0.2)
    assert torch.equal(batch, tasks.grey_and_binary(x, generator()))
    assert not torch.equal(batch, tasks.grey_and_binary(x, generator(1)))


# -------------------------------------------------------------------------------------------- its checkpoint


@pytest.fixture(scope="module")
def judge():
    return checkpoints.load("classifier")


def test_the_stored_classifier_reaches_what_was_written_beside_it(judge):
    model, facts = judge
    grey, labels = data.mnist("test")
    binary = data.binarise(grey, generator())
    for x, fact in ((grey / 255, "test"), (binary, "test_binarised")):
        with torch.no_grad():
            right = torch.cat([model(part) for part in x.split(1000)]).argmax(1) == labels
        assert right.double().mean().item() == pytest.approx(facts[fact], abs=0.0003)
        assert facts[fact] >= 0.99
    assert facts["parameters"] == sum(p.numel() for p in model.parameters())
    assert checkpoints.path("classifier").stat().st_size < 1_000_000
    assert all(p.dtype == torch.float32 for p in model.parameters()) and 64 <= model.n_features <= 128


def blur(x):
    kernel = torch.tensor([1.0, 2, 1])
    return torch.nn.functional.conv2d(x, torch.outer(kernel, kernel)[None, None] / 16, padding=1)


@pytest.fixture(scope="module")
def seen(judge):
    """Features and logits of digits through the judge: of the training set, of the test set, of failures of it."""
    model, _ = judge
    train, _ = data.mnist("train")
    test, labels = data.mnist("test")
    train, test, labels = train[::27] / 255, test[::5] / 255, labels[::5]  # the test set's halves differ
    pixels = (torch.rand(2000, 1, 28, 28, generator=generator()) < train.mean(0)).float()
    failures = {
        "one class": test[labels == 3].repeat(10, 1, 1, 1)[:2000],
        "a class lost": test[labels != 3],
        "50 digits": test[:50].repeat(40, 1, 1, 1),
        "blurred twice": blur(blur(test)),
        "independent pixels": pixels,
        "noise": torch.rand(2000, 1, 28, 28, generator=generator()),
    }
    with torch.no_grad():
        features = {name: model.features(x) for name, x in {"train": train, "test": test, **failures}.items()}
        return {name: (h, model.head(h)) for name, h in features.items()}


def test_the_floor_of_digits_and_the_controls(seen):
    train, test = seen["train"][0], seen["test"][0]
    floor = metrics.frechet_distance(train, test)
    assert 0 < floor < 0.02 * torch.cov(test.T).trace()
    for name in seen.keys() - {"train", "test"}:
        assert metrics.frechet_distance(train, seen[name][0]) > 3 * floor, name
    fresh = metrics.precision_recall(train, test) + metrics.density_coverage(train, test)
    assert all(value > 0.8 for value in fresh)
    assert metrics.density_coverage(train, seen["50 digits"][0]).coverage < 0.3
    assert metrics.density_coverage(train, seen["one class"][0]).coverage < 0.2
    assert metrics.precision_recall(train, seen["one class"][0]).recall < 0.2
    assert metrics.density_coverage(train, seen["noise"][0]).density < 0.05


# -------------------------------------------------------------------------------------------------- bad input


def test_bad_images_and_labels_are_refused():
    model, x = small(), images()
    for ask in (model, model.features, lambda x: model.loss(x, torch.zeros(len(x), dtype=torch.long))):
        for bad in (x[:, 0], x[..., :-1], x[:0], x.flatten(1)):
            with pytest.raises(ValueError, match=r"x has shape .*knows event_shape \(1, 8, 8\).*one image at least"):
                ask(bad)
        for bad in (255 * x, x - 1, x * math.nan, (255 * x).to(torch.uint8)):
            with pytest.raises(ValueError, match=r"x goes from .* to .*; expected images in \[0, 1\]: x / 255"):
                ask(bad)
    for bad in (x.numpy(), None, [1.0]):
        with pytest.raises(TypeError, match="x is .*; expected a torch.Tensor of shape"):
            model(bad)
    for labels, error, words in (
        (torch.zeros(5, dtype=torch.long), ValueError, r"labels have shape \(5,\) for 6 images; expected \(6,\)"),
        (torch.zeros(6, 1, dtype=torch.long), ValueError, r"labels have shape \(6, 1\) for 6 images"),
        (torch.full((6,), 3), ValueError, "labels go from 3 to 3; expected 0 to 2"),
        (torch.full((6,), -1), ValueError, "labels go from -1 to -1; expected 0 to 2"),
        (torch.zeros(6), TypeError, "labels are torch.float32; expected a tensor of .* whole numbers"),
        ([0] * 6, TypeError, "labels are a list; expected a tensor"),
    ):
        with pytest.raises(error, match=words):
            model.loss(x, labels)


@pytest.mark.parametrize(
    "sizes, error, message",
    [
        (dict(event_shape=(28, 28)), ValueError, r"event_shape is \(28, 28\); expected \(channels, height, width\)"),
        (dict(event_shape="abc"), ValueError, "event_shape is 'abc'; expected"),
        (dict(event_shape=784), ValueError, "event_shape is 784; expected"),
        (dict(event_shape=(1, 7, 28)), ValueError, r"event_shape is \(1, 7, 28\); expected at least 8 pixels each way"),
        (dict(event_shape=(0, 8, 8)), ValueError, "event_shape is 0; expected at least 1"),
        (dict(n_classes=1), ValueError, "n_classes is 1; expected at least 2"),
        (dict(channels=0), ValueError, "channels is 0; expected at least 1"),
        (dict(n_features=2.5), TypeError, "n_features is 2.5; expected an integer"),
    ],
)
def test_bad_sizes_are_refused(sizes, error, message):
    with pytest.raises(error, match=message):
        small(**sizes)
