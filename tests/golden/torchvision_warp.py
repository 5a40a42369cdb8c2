"""Writes torchvision_warp.npz: rotations, affine maps and perspectives by torchvision's float tensor path.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 pillow==12.1.1 numpy
    python tests/golden/torchvision_warp.py

Images are "<image>/image", uint8 (H, W, 3); what became of them, divided by 255, is
"<image>/float_<operation>_<mode>", float32 (h, w, 3). Boxes (n, 4) XYXY and points (n, 2) of "<image>/boxes" and
"<image>/points" are after it "<image>/boxes_rotate_33" and "<image>/points_rotate_33".
Stored: torchvision 0.29.1 with Pillow 12.1.1.
"""

from pathlib import Path

import numpy as np
from PIL import Image

KEPT = {  # to stay small, not every operation of every image
    "wide": {"rotate_33": ("nearest", "bilinear"), "rotate_33_expand": ("nearest",), "perspective": ("bilinear",)},
    "tall": {"rotate_33_expand": ("nearest", "bilinear"), "affine": ("nearest", "bilinear")},
    "square": {"rotate_33": ("bilinear",), "affine": ("bilinear",), "perspective": ("nearest", "bilinear")},
}


def image(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth random picture: low-frequency noise, so that resampling has something to preserve."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 9, 2), max(width // 7, 2), 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-12, 13, (height, width, 3)), 0, 255).astype(np.uint8)


def boxes_in(height: int, width: int) -> np.ndarray:
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 0.6, (6, 2)) * (width, height)
    far = np.minimum(corner + rng.uniform(4, 60, (6, 2)), (width, height))
    return np.concatenate([corner, far], 1).astype(np.float32)


def main() -> None:
    import torch
    import torchvision
    from torchvision import tv_tensors
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as F

    out = {"versions": np.array([torch.__version__, torchvision.__version__, Image.__version__])}
    for name, pixels in {"wide": image(1, 61, 133), "tall": image(2, 151, 47), "square": image(3, 64, 64)}.items():
        real = torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255
        h, w = pixels.shape[:2]
        start = [[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]]
        end = [[7, 4], [w - 9, 2], [w - 3, h - 8], [2, h - 5]]
        shape = {"angle": -17.0, "translate": [6, -4], "scale": 1.3, "shear": [8.0, -5.0]}
        operations = {
            "rotate_33": lambda mode, real=real: F.rotate(real, 33.0, mode),
            "rotate_33_expand": lambda mode, real=real: F.rotate(real, 33.0, mode, expand=True),
            "affine": lambda mode, real=real, shape=shape: F.affine(real, **shape, interpolation=mode),
            "perspective": lambda mode, real=real, s=start, e=end: F.perspective(real, s, e, mode),
        }
        out[f"{name}/image"] = pixels
        for operation, modes in KEPT[name].items():
            for mode in modes:
                moved = operations[operation](InterpolationMode(mode))
                out[f"{name}/float_{operation}_{mode}"] = moved.permute(1, 2, 0).numpy()
        boxes = boxes_in(h, w)
        box = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=(h, w))
        points = tv_tensors.KeyPoints(torch.from_numpy(boxes[:, :2].copy()), canvas_size=(h, w))
        out[f"{name}/boxes"], out[f"{name}/points"] = boxes, boxes[:, :2]
        out[f"{name}/boxes_rotate_33"] = F.rotate(box, 33.0).numpy()
        out[f"{name}/points_rotate_33"] = F.rotate(points, 33.0).numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
