"""Training: one plain loop, with everything that it did written down, and what a step is for a model or a contest.

`fit` calls `model.loss` and nothing else of a model; `fit_gan` lets two players move in turn. Both can be interrupted
at any step and resumed to the same place as a run that was not: the random numbers, the optimisers and the averaged
weights are part of what is kept. Random numbers that a loss draws without a generator, as a VAE's noise or dropout, are
decided by the run and the step. Several trainings in threads of one process take turns, step by step, since those
numbers come from torch's global random state, which is one for all: each gives what it gives alone. Build models in one
thread, before: their first weights come from that state too.

What a step does stands in `descent.fit` and `contest.fit_gan`, from the batch to the moved weights; what stands around
the steps, in `loop`, which measures, keeps the state in a file, and stops.
"""

from gencourse.training.contest import fit_gan
from gencourse.training.descent import fit
from gencourse.training.history import GANHistory, History, best
from gencourse.training.optim import falling, schedule
from gencourse.training.precision import PRECISIONS, native_bfloat16

__all__ = [
    "PRECISIONS",
    "GANHistory",
    "History",
    "best",
    "falling",
    "fit",
    "fit_gan",
    "native_bfloat16",
    "schedule",
]
