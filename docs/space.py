"""What the page of code space loads: two networks as lists of layers, codes of digits, and still pictures.

The weights come out of the checkpoints, as they are (float32). A page that is opened from disk may not read files, but
it may load scripts: so all of it is one script, with the numbers in base64.
"""

import base64
import json
from pathlib import Path

import torch
from torch import nn

from gencourse import checkpoints, data, plots

EDGE = 3.5  # the map goes from -EDGE to EDGE
DIGITS = 2000  # of the test split, whose codes are on the map


def export(folder):
    """Write model.js, map.png and arc.png into `folder`. Raises ValueError for a layer that the page does not know."""
    plane, gan = checkpoints.load("plane")[0], checkpoints.load("gan")[0]
    images, labels = (part[:DIGITS] for part in data.mnist("test"))
    with torch.no_grad():
        codes = plane.encode(data.binarise(images, torch.Generator().manual_seed(0))).mean
    content = {
        "edge": EDGE,
        "latent": gan.latent,
        "decoder": [*layers(plane.decoder), {"kind": "sigmoid"}],  # the decoder gives logits
        "generator": layers(gan.generator.net),
        "codes": [[round(x, 2), round(y, 2), label] for (x, y), label in zip(codes.tolist(), labels.tolist())],
    }
    script = "window.codeSpaceModel = " + json.dumps(content, separators=(",", ":")) + ";\n"
    files = {"model.js": script.encode(), "map.png": still_map(plane), "arc.png": still_arc(gan)}
    for name, new in files.items():
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_bytes() != new:
            path.write_bytes(new)


def layers(network):
    """A Sequential as a list of dictionaries: the kind of each layer, its sizes and its weights."""
    return [described(layer) for layer in network]


def described(layer):
    """One layer as code-space.js takes it. Raises ValueError for one that it does not know."""
    match layer:
        case nn.Linear():
            sizes = {"kind": "dense", "inputs": layer.in_features, "outputs": layer.out_features}
        case nn.Conv2d(stride=(1, 1), dilation=(1, 1), groups=1, padding_mode="zeros", padding=(int(), int())):
            sizes = {"kind": "conv", **_window(layer)}
        case nn.ConvTranspose2d(dilation=(1, 1), groups=1, output_padding=(0, 0)):
            sizes = {"kind": "convTranspose", "stride": layer.stride[0], **_window(layer)}
        case nn.Unflatten():
            return {"kind": "unflatten", "shape": list(layer.unflattened_size)}
        case nn.PixelShuffle():
            return {"kind": "pixelShuffle", "factor": layer.upscale_factor}
        case nn.LeakyReLU():
            return {"kind": "leakyReLU", "slope": layer.negative_slope}
        case nn.SiLU():
            return {"kind": "silu"}
        case nn.Sigmoid():
            return {"kind": "sigmoid"}
        case _:
            raise ValueError(f"{layer} has no counterpart in docs/assets/book/code-space.js; write one there")
    return {**sizes, "weight": _base64(layer.weight), "bias": _base64(layer.bias)}


def _window(layer):
    """Sizes of a convolution whose window is a square."""
    if any(len(set(pair)) > 1 for pair in (layer.kernel_size, layer.padding, layer.stride)):
        raise ValueError(f"{layer} is not the same both ways; code-space.js takes one size for height and width")
    return {
        "inputs": layer.in_channels,
        "outputs": layer.out_channels,
        "kernel": layer.kernel_size[0],
        "padding": layer.padding[0],
    }


def _base64(tensor):
    """float32, little-endian, in base64."""
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()


@torch.no_grad()
def still_map(plane, size=15):
    """PNG: what the decoder makes of the codes of a grid, z₁ to the right, z₂ upwards."""
    places = torch.linspace(-EDGE, EDGE, size)
    z = torch.cartesian_prod(places.flip(0), places).flip(1)
    return _page(plane.decode(z).mean, size)


@torch.no_grad()
def still_arc(gan, size=9):
    """PNG: pictures from one noise to another."""
    a, b = gan.noise(2, torch.Generator().manual_seed(5))
    angle = torch.linspace(0, torch.pi / 2, size)[:, None]
    return _page(gan.generator(angle.cos() * a + angle.sin() * b), size)


def _page(images, columns):
    """PNG of images (N, 1, H, W) in [0, 1], ink on paper, in rows."""
    _, _, height, width = images.shape
    rows = images.view(-1, columns, height, width).permute(0, 2, 1, 3).reshape(-1, columns * width)
    return plots.png(((1 - rows) * 15).round().numpy() / 15)  # 16 greys
