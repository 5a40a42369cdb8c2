"""Writes torchvision_geometry.npz: resizes (PIL path), centre crops and pads of three small images by torchvision.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 pillow==12.1.1 numpy
    python tests/golden/torchvision_geometry.py

Arrays are named "<image>/<operation>", uint8 (H, W, 3). Stored: torchvision 0.29.1 with Pillow 12.1.1.
"""

from pathlib import Path

import numpy as np
from PIL import Image

METHODS = ("nearest", "bilinear", "bicubic", "lanczos", "box")
SIZES = {"40": [40], "45x30": (45, 30), "80x170": (80, 170)}
CROPS = {"41": [41, 41], "40x31": [40, 31], "32x31": [32, 31], "70x70": [70, 70]}


def image(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth random picture: low-frequency noise, so that resampling has something to preserve."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 9, 2), max(width // 7, 2), 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-12, 13, (height, width, 3)), 0, 255).astype(np.uint8)


def kept(name: str, label: str) -> bool:
    """All sizes for the image whose rows shrink, where the order of the passes shows; one for the others."""
    return name == "tall" or label == "40"


def main() -> None:
    import torch
    import torchvision
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    out = {"versions": np.array([torch.__version__, torchvision.__version__, Image.__version__])}
    for name, pixels in {"wide": image(1, 61, 133), "tall": image(2, 151, 47), "square": image(3, 64, 64)}.items():
        pil, tensor = Image.fromarray(pixels), torch.from_numpy(pixels.copy()).permute(2, 0, 1)
        out[f"{name}/image"] = pixels
        for method in METHODS:
            for label, size in SIZES.items():
                if kept(name, label):
                    resized = F.resize(pil, size, InterpolationMode(method))
                    out[f"{name}/pil_resize_{label}_{method}"] = np.asarray(resized)
        for label, size in CROPS.items():
            out[f"{name}/center_crop_{label}"] = F.center_crop(tensor, size).permute(1, 2, 0).numpy()
        out[f"{name}/pad_constant"] = F.pad(tensor, [5, 7, 11, 13]).permute(1, 2, 0).numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
