"""Makes the pictures of the README (docs/images) again: `python docs/pictures.py`.

They are stored outputs of the notebooks, whole or a part; the first one is drawn by the best stored PixelCNN.
"""

import base64
import io
import re

import course
import numpy as np
import torch
from PIL import Image

from gencourse import checkpoints, data, plots

IMAGES = course.ROOT / "docs" / "images"
# name: notebook and cell, and how the picture is made of those that the cell shows: the first, then a film's in order
STORED = {
    "start": ("00_start_here", "start-here-03", lambda shown, *film: shown),
    "blind_spot": ("01_autoregression", "exercise-4-skew-and-back-10", lambda shown, *film: shown),
    "beads": ("02_gmm", "gaussian-mixtures-from-a-handful-to-infinitely-05", lambda shown, *film: shown),
    "code_map": ("03_vae", "variational-autoencoders-a-mixture-without-end-06", lambda shown, *film: shown[166:448]),
    "contest": ("04_gan", "adversarial-networks-a-generator-and-a-discriminator-08",
                lambda shown, *film: np.concatenate([film[0], film[-1]], 1)),
    "collapse": ("05_failure_modes", "how-often-and-with-which-cure-03", lambda shown, *film: shown),
    "scoreboard": ("06_scoreboard", "exercise-4-whom-does-nobody-beat-04", lambda shown, *film: shown),
}  # fmt: skip


def stored(notebook, cell):
    """The pictures in the outputs of a cell, in order: a list of (H, W, 3) uint8."""
    (found,) = [each for each in notebook.node.cells if each.id == cell]
    pages = "".join(output.get("data", {}).get("text/html", "") for output in found.outputs)
    contents = re.findall(r"data:image/\w+;base64,([\w+/=]+)", pages)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB")) for each in contents]


def digits():
    """Halves of the first 0, 1, 2 and 3 of the test set, and six completions of each."""
    test = data.binarise(data.mnist("test")[0], torch.Generator().manual_seed(0))
    truth, rows = test[[3, 2, 1, 18]], 14
    model, _ = checkpoints.load("pixelcnn-large")
    prefix = truth[:, :, :rows].repeat_interleave(6, 0)
    drawn = model.sample(24, torch.Generator().manual_seed(0), prefix=prefix)
    return plots.completions(truth, rows, drawn.view(4, 6, *truth.shape[1:]))


def main():
    """Write every picture."""
    plots.use_style()
    notebooks = {notebook.name: notebook for notebook in course.notebooks()}
    for name, (notebook, cell, made) in STORED.items():
        (IMAGES / f"{name}.png").write_bytes(plots.png(made(*stored(notebooks[notebook], cell))))
    (IMAGES / "digits.png").write_bytes(plots.png(digits()))


if __name__ == "__main__":
    main()
