#!/usr/bin/env bash
# safetensors 0.8.0 (Linux): where the system refuses to write, because the file grows too large, the disk is full or the
# folder is missing, save_file raises SafetensorError, which is neither an OSError nor a ValueError but a bare Exception;
# its errno is not there, only words. Python's own open().write() raises OSError with its errno.
#
# One would guess: what the system refuses comes as OSError, as everywhere in Python, so that `except OSError` around the
# saving of a checkpoint lets a long training go on when the disk is full for a while.
#
# Bitten: training loops that save as they go and guard it by `except OSError`: they end with the disk full, and hours
# with them; code that asks for errno.
#
# Seen on 2026-11-29 (a limit to the size of files stands for the full disk):
SEEN='open().write(): OSError, errno EFBIG
save_file: SafetensorError, an OSError: False, errno: None
save_file in a missing folder: SafetensorError, an OSError: False, errno: None'
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check safetensors==0.8.0 numpy==2.4.6
cat > look.py <<'P'
import errno
import resource
import signal

import numpy as np
from safetensors.numpy import save_file

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10**5, 10**5))  # bytes


def told(name, write):
    try:
        write()
        print(f"{name}: no error")
    except OSError as error:
        print(f"{name}: {type(error).__name__}, errno {errno.errorcode[error.errno]}")
    except Exception as error:
        code = getattr(error, "errno", None)
        print(f"{name}: {type(error).__name__}, an OSError: {isinstance(error, OSError)}, errno: {code}")


def plain():
    with open("plain", "wb", buffering=0) as file:
        for _ in range(10):
            file.write(bytes(10**5))


told("open().write()", plain)
told("save_file", lambda: save_file({"x": np.zeros(10**6)}, "x.safetensors"))
told("save_file in a missing folder", lambda: save_file({"x": np.zeros(3)}, "missing/x.safetensors"))
P
seen=$(venv/bin/python look.py)
echo "$seen"
[ "$seen" = "$SEEN" ] || { echo "this has changed"; exit 1; }
