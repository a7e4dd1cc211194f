"""Files: where the course's data lie, whether they are whole (by sha256, before each use), how others are written."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# sha256, bytes and name of each file; data/README.md shows the same, data/make_data.py makes them again
_TABLE = """
7ff28fd295f802eefc6d40e461175dfe4b969b1842b2abc8c6dc8c20711cf79f   9630610  mnist/train-images-idx3-ubyte.gz
81a978ae83d39ffdba0db3ce2fcaf80a8921e9629e874428996a2b03242d4b2a     28878  mnist/train-labels-idx1-ubyte.gz
197e111ae341b0770be9011ac5e622d0e6cd1c640b32eb0de5dc1dd26cc6e182   1602050  mnist/t10k-images-idx3-ubyte.gz
b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b      4517  mnist/t10k-labels-idx1-ubyte.gz
a91b8c35e47ab445f661308e6da744c249ce5917e97c0b64ee358c82fefbd776    815738  speech/digits.flac
d37b3f2b3ec23916f6f918a515ae98ad7310cf4e81e67876e279b1b4df9c8544    505100  speech/letters.flac
04467e7982625e14a3b93b5d608bdf168893b16bbe70b8e3b596292531767f23    229678  speech/phonetic.flac
4b3cdeb5e80ce277ff588c2c1202a8812edaed7d5fb519839ea14e155c6c2c6d      6853  speech/words.csv
39067c7ef04e37b19ec976632b7e2383bab964d8d16ee55b471d1394e1270cc4  13155465  speech/sentences.flac
3ef77cb92f84d68a2056c1b1a20a70d4eac04bca6023ce1394a99b5e2f46f66c     10750  speech/sentences.csv
0ef258ee630bcd7220fd76a13baac64990995c758fad97f188037d2cee821a9e     16436  speech/LICENSE
"""
FILES = {name: (int(size), sha256) for sha256, size, name in map(str.split, _TABLE.strip().splitlines())}


class DataError(FileNotFoundError):
    """A file of the course's data is missing, or is not the file that it should be."""


def data_root() -> Path:
    """The folder of the data: the environment variable GENCOURSE_DATA, else data/ beside the package.

    Raises DataError where there is no such folder.
    """
    chosen = os.environ.get("GENCOURSE_DATA")
    root = Path(chosen) if chosen else Path(__file__).resolve().parents[2] / "data"
    if root.is_dir():
        return root
    if chosen:
        raise DataError(f"GENCOURSE_DATA is {chosen!r}, which is no folder; unset it, and data/ is used")
    raise DataError(
        f"there is no folder {root}: install the package from a clone of the repository "
        f"(pip install -e .), or let GENCOURSE_DATA name the data folder of a clone"
    )


def read(name: str) -> bytes:
    """The bytes of one file of `FILES`. Raises DataError if it is missing, cut short or altered."""
    path = data_root() / name
    help = f"get it back with: git checkout -- data/{name} (or make it again: python data/make_data.py)"
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise DataError(f"{path} is missing; {help}") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); {help}") from error
    size, sha256 = FILES[name]
    if len(content) != size:
        raise DataError(f"{path} has the wrong size: {len(content):,} bytes, expected {size:,}; {help}")
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{path} is altered: its sha256 is {found[:12]}…, expected {sha256[:12]}…; {help}")
    return content


def check() -> list[tuple[str, str]]:
    """Each file of the data with its state, "whole", "missing" or "damaged". Never raises."""
    return [(name, _state(name)) for name in FILES]


def writable(folder: Path) -> Path:
    """The folder, made if it is missing. Raises OSError where no file can be written to it."""
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return folder


@contextlib.contextmanager
def write_whole(path: str | Path) -> Iterator[Path]:
    """Write a file whole or not at all: the body fills a new file in the same folder, which then takes its place.

        with write_whole(path) as part:
            part.write_text(…)

    Missing folders are made. A file that was there keeps its permissions, a new one can be read by all. Whatever goes
    wrong, Ctrl-C included, the old file stays as it was and nothing else is left.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    part = Path(name)
    try:
        yield part
        with part.open("rb+") as file:
            os.fsync(file.fileno())  # on the disk before it has the name, or a power cut leaves an empty file
        os.chmod(part, mode)
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _state(name: str) -> str:
    try:
        read(name)
    except DataError:
        try:
            return "damaged" if (data_root() / name).exists() else "missing"
        except OSError:
            return "missing"
    return "whole"
