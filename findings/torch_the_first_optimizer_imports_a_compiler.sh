#!/usr/bin/env bash
# torch 2.13.0 (CPU): the first optimizer of a process, of any kind and for one number, imports a compiler and computer
# algebra: torch._dynamo, torch.utils._sympy, sympy and hundreds of modules more, none of which is used. The second one
# imports nothing.
#
# One would guess: `import torch` has imported what plain training needs, and torch.optim.SGD([p], lr=0.1) allocates
# next to nothing.
#
# Bitten: whoever times the first step of a training, or one short training in a fresh process (seconds on a small
# machine); whoever presses Ctrl-C in the first seconds, which lands in the middle of these imports and not in the
# training; whoever forks workers before the first optimizer, each of which then imports all by itself.
#
# Seen on 2026-11-29 (Python 3.11.7, x86_64):
SEEN='modules added by the first optimizer: more than 500, torch._dynamo and sympy among them: True
modules added by the second: 0'
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > look.py <<'P'
import sys

import torch

weight = torch.nn.Parameter(torch.zeros(1))
assert "torch._dynamo" not in sys.modules and "sympy" not in sys.modules
before = set(sys.modules)
torch.optim.SGD([weight], lr=0.1)
first = set(sys.modules) - before
torch.optim.SGD([weight], lr=0.1)
print(f"added: {len(first)}", file=sys.stderr)
told = len(first) > 500 and {"torch._dynamo", "sympy"} <= first
print(f"modules added by the first optimizer: more than 500, torch._dynamo and sympy among them: {told}")
print(f"modules added by the second: {len(set(sys.modules) - before - first)}")
P
seen=$(venv/bin/python look.py)
echo "$seen"
[ "$seen" = "$SEEN" ] || { echo "this has changed"; exit 1; }
