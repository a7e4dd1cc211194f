"""Four VAEs without names: the measures of chapter 03 tell each wrong line, whatever the order."""

import pytest
import torch

from gencourse import data
from gencourse.failures.broken_vae import FAULTS, NAMES, four_vaes, verdict


def told(model, x):
    """KL, dimensions in use, nats that the noise exp(σ/2)·e costs the reconstruction."""
    mean, log_var = model.encode(x)
    kl = ((log_var.exp() - 1 - log_var + mean**2) / 2).sum(1).mean().item()
    e = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))

    def cost(z):
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model.logits(z), x, reduction="none")
        return loss.flatten(1).sum(1).mean().item()

    return kl, int((mean.var(0) > 0.01).sum()), cost(mean + (log_var / 2).exp() * e) - cost(mean)


@pytest.mark.parametrize("seed", [0, 1])
def test_three_measures_tell_which_line_is_wrong(seed):
    test = data.binarise(data.mnist("test")[0][:1000], torch.Generator().manual_seed(0)).float()
    answer = {}
    for name, model in four_vaes(seed).items():
        kl, used, harm = told(model, test)
        answer[name] = (
            "pixels averaged" if used == 0
            else "KL left out" if kl > 40
            else "noise exp(σ)·e" if harm > 5.5
            else "nothing"
        )  # fmt: skip
    assert sorted(answer.values()) == sorted(FAULTS)
    assert verdict(answer, seed).count("✓") == len(NAMES)


def test_a_wrong_answer_and_none_are_told_apart_and_an_unknown_word_is_refused():
    right = next(fault for fault in FAULTS if "✓" in verdict({"A": fault}, 3))
    wrong = next(fault for fault in FAULTS if fault != right)
    assert verdict({"A": wrong, "B": ""}, 3).splitlines()[0].startswith("✗ A")
    assert verdict({"B": ""}, 3) == "○ B: no answer yet"
    with pytest.raises(ValueError, match="expected one of A, B, C, D"):
        verdict({"A": "tired"})
