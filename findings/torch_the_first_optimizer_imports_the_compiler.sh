#!/usr/bin/env bash
# torch 2.13.0 (CPU): building the first optimiser of a process imports the compiler (torch._dynamo) and sympy, more than
# 700 modules, though nothing is compiled. `import torch`, a model, its loss and its gradient import none of them.
#
# One would guess: Adam is some lists and a loop; torch.compile loads its compiler when it is called.
#
# Bitten: whoever times the first training step or gives it a limit (graders, notebooks, tests with time-outs): seconds on
# a small or busy machine, all in the constructor of the optimiser; and programs that guard against Ctrl-C only from the
# training loop on.
#
# Seen on 2026-11-29:
SEEN='after import, model, loss and gradient: torch._dynamo False, sympy False
after torch.optim.SGD(...): torch._dynamo True, sympy True, more than 700 modules imported: True'
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > look.py <<'P'
import sys

import torch


def there():
    return f"torch._dynamo {'torch._dynamo' in sys.modules}, sympy {'sympy' in sys.modules}"


model = torch.nn.Linear(2, 1)
model(torch.ones(3, 2)).square().mean().backward()
print("after import, model, loss and gradient:", there())
before = len(sys.modules)
torch.optim.SGD(model.parameters(), lr=0.1)
print(f"after torch.optim.SGD(...): {there()}, more than 700 modules imported: {len(sys.modules) - before > 700}")
P
seen=$(venv/bin/python look.py)
echo "$seen"
[ "$seen" = "$SEEN" ] || { echo "this has changed"; exit 1; }
