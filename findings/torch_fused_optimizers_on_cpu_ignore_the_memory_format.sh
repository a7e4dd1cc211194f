#!/usr/bin/env bash
# torch 2.13.0 (CPU): with fused=True the optimisers SGD, Adam, AdamW and Adagrad pair the numbers of a parameter, its
# gradient and their own state in the order in which they lie in memory, and not by their indices. Where one lies in
# channels-last memory and another does not, each weight is moved by the gradient of another one, without an error or a
# warning. fused=False gives the right step in both orders. It happens where gradients are assigned (averaged over
# workers, read from a file), and where the state of an optimiser that was saved beside a contiguous model is loaded
# beside the same model in channels-last memory: the training goes on, to other weights.
#
# One would guess: a fused step differs from the plain one by rounding; where layouts do not agree, it says so.
#
# Bitten: whoever turns on fused=True for speed in a network of convolutions in channels-last memory, and resumes a run or
# sets gradients by hand.
#
# Seen on 2026-11-30:
SEEN='SGD: largest difference from fused=False: gradient in the memory format of the weights 0.00, in another 0.33
Adam: largest difference from fused=False: gradient in the memory format of the weights 0.00, in another 0.20
AdamW: largest difference from fused=False: gradient in the memory format of the weights 0.00, in another 0.20
Adagrad: largest difference from fused=False: gradient in the memory format of the weights 0.00, in another 0.20
Adam, resumed beside a model in channels-last memory: fused=False 0.000, fused=True differs: True'
set -eu
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install -q --disable-pip-version-check torch==2.13.0 numpy==2.4.6
cat > look.py <<'P'
import copy

import torch

LAST = torch.channels_last
torch.set_num_threads(1)


def stepped(kind, fused, gradient_format):
    torch.manual_seed(0)
    weight = torch.nn.Parameter(torch.randn(4, 3, 2, 2).to(memory_format=LAST))
    weight.grad = torch.randn(4, 3, 2, 2).to(memory_format=gradient_format)
    getattr(torch.optim, kind)([weight], lr=0.1, fused=fused).step()
    return weight.detach()


def resumed(fused, memory_format):
    """Two steps of a contiguous model; its state is loaded beside a copy in this memory format, which takes two more."""
    torch.manual_seed(0)
    model = torch.nn.Conv2d(3, 4, 2)
    images = torch.randn(8, 3, 5, 5)
    adam = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
    for step in range(4):
        if step == 2:
            state = copy.deepcopy(adam.state_dict())
            model = copy.deepcopy(model).to(memory_format=memory_format)
            adam = torch.optim.Adam(model.parameters(), lr=0.1, fused=fused)
            adam.load_state_dict(state)
        adam.zero_grad()
        model(images).square().mean().backward()
        adam.step()
    return model.weight.detach()


for kind in ("SGD", "Adam", "AdamW", "Adagrad"):
    same, other = (
        (stepped(kind, True, form) - stepped(kind, False, form)).abs().max().item()
        for form in (LAST, torch.contiguous_format)
    )
    print(f"{kind}: largest difference from fused=False: gradient in the memory format of the weights {same:.2f}, "
          f"in another {other:.2f}")
plain, fused = (
    (resumed(way, LAST) - resumed(way, torch.contiguous_format)).abs().max().item() for way in (False, True)
)
print(f"Adam, resumed beside a model in channels-last memory: fused=False {plain:.3f}, fused=True differs: {fused > 0.01}")
P
seen=$(venv/bin/python look.py)
echo "$seen"
[ "$seen" = "$SEEN" ] || { echo "this has changed"; exit 1; }
