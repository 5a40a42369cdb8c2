"""Writes torchvision_parts.npz: boxes and key points of three images under geometry; draws of RandomResizedCrop.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 numpy
    python tests/golden/torchvision_parts.py

Arrays are named "<image>/<part>_<operation>": boxes (6, 4) XYXY and points (6, 2), float32 pixels.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision import tv_tensors
from torchvision.transforms import v2
from torchvision.transforms.v2 import functional as F

SIZES = {"wide": (61, 133), "tall": (151, 47), "square": (64, 64)}
OPERATIONS = {
    "hflip": F.horizontal_flip,
    "vflip": F.vertical_flip,
    "resize_45x30": lambda part: F.resize(part, [45, 30]),
    "crop": lambda part: F.crop(part, 8, 6, 30, 25),
    "rotate_33": lambda part: F.rotate(part, 33.0),
    "pad": lambda part: F.pad(part, [5, 7, 11, 13]),
}

out = {"versions": np.array([torch.__version__])}
for name, (h, w) in SIZES.items():
    rng = np.random.default_rng(5)
    corner = rng.uniform(0, 0.6, (6, 2)) * (w, h)
    far = np.minimum(corner + rng.uniform(4, 60, (6, 2)), (w, h))
    boxes = np.concatenate([corner, far], 1).astype(np.float32)
    box = tv_tensors.BoundingBoxes(torch.from_numpy(boxes), format="XYXY", canvas_size=(h, w))
    points = tv_tensors.KeyPoints(torch.from_numpy(boxes[:, :2].copy()), canvas_size=(h, w))
    out[f"{name}/boxes"], out[f"{name}/points"] = boxes, boxes[:, :2]
    for operation, function in OPERATIONS.items():
        out[f"{name}/boxes_{operation}"] = function(box).numpy()
        out[f"{name}/points_{operation}"] = function(points).numpy()
torch.manual_seed(0)
drawn = [list(v2.RandomResizedCrop(224).make_params([torch.zeros(3, 240, 320)]).values()) for _ in range(4000)]
out["random_resized_crop/240x320_top_left_height_width"] = np.array(drawn, np.int32)
np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)
