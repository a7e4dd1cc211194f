"""The trained models in `data/checkpoints/`: weights in safetensors, and beside them a card in JSON that says all.

`load("pixelcnn")` gives the model ready for use, with its card; `train("pixelcnn")` makes it again, or goes on where a
run that was stopped had come to; `evaluate("pixelcnn")` measures it again.
"""

from gencourse.checkpoints.load import load, path, read_card
from gencourse.checkpoints.make import evaluate, train
from gencourse.checkpoints.recipes import RECIPES

__all__ = ["RECIPES", "evaluate", "load", "path", "read_card", "train"]
