"""Writes torchvision_blur.npz: Gaussian blur and sharpness by torchvision's tensor paths.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 pillow==12.1.1 numpy
    python tests/golden/torchvision_blur.py

Images are "<image>/image", uint8 (H, W, 3). "<image>/tensor_sharpness_<factor>" is uint8; what became of the image
divided by 255 is "<image>/float_sharpness_<factor>" and "<image>/float_gaussian_blur_7_1.5", float32.
Stored: torchvision 0.29.1 with Pillow 12.1.1.
"""

from pathlib import Path

import numpy as np
from PIL import Image

FACTORS = (0.4, 1.7)
KEPT = {"tall": ("float_gaussian_blur_7_1.5",), "square": ("float_sharpness_0.4", "float_sharpness_1.7")}


def image(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth random picture: low-frequency noise, so that resampling has something to preserve."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 9, 2), max(width // 7, 2), 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-12, 13, (height, width, 3)), 0, 255).astype(np.uint8)


def main() -> None:
    import torch
    import torchvision
    from torchvision.transforms.v2 import functional as F

    out = {"versions": np.array([torch.__version__, torchvision.__version__, Image.__version__])}
    for name, pixels in {"tall": image(2, 151, 47), "square": image(3, 64, 64)}.items():
        tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
        real = tensor.float() / 255
        floats = {f"float_sharpness_{factor}": F.adjust_sharpness(real, factor) for factor in FACTORS}
        floats["float_gaussian_blur_7_1.5"] = F.gaussian_blur(real, [7, 7], [1.5, 1.5])
        out[f"{name}/image"] = pixels
        for factor in FACTORS:
            sharp = F.adjust_sharpness(tensor, factor)
            out[f"{name}/tensor_sharpness_{factor}"] = sharp.permute(1, 2, 0).numpy()
        for operation in KEPT[name]:
            out[f"{name}/{operation}"] = floats[operation].permute(1, 2, 0).numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
