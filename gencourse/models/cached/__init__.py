"""Sampling one position at a time, a file a model: each layer computes only what the new position adds.

A stepper gives the same numbers as the parallel pass of its model, up to rounding, and never trains. To find one: the
file has the name of the model's file, and a layer's stepper has the layer's name. So `RowLSTM` of `pixelrnn.py` is
stepped by `RowLSTMStepper` in `cached/pixelrnn.py`, `DilatedLayer` of `wavenet.py` by `dilated_layer_stepper` in
`cached/wavenet.py`. `rows.py` serves all models of images, `compiled.py` WaveNet alone.

Importing this package registers all of them with `gencourse.models.base.cached_stepper`.
"""

from gencourse.models.cached.baselines import context_table_stepper
from gencourse.models.cached.pixelcnn import pixelcnn_stepper
from gencourse.models.cached.pixelrnn import pixelrnn_stepper
from gencourse.models.cached.wavenet import wavenet_stepper

__all__ = ["context_table_stepper", "pixelcnn_stepper", "pixelrnn_stepper", "wavenet_stepper"]
