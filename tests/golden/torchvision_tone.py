"""Writes torchvision_tone.npz: equalize and autocontrast by torchvision's uint8 tensor path.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 pillow==12.1.1 numpy
    python tests/golden/torchvision_tone.py

Arrays are named "<image>/<operation>", uint8 (H, W, 3), of the images in torchvision_geometry.npz.
"""

from pathlib import Path

import numpy as np
import torch
from torchvision.transforms.v2 import functional as F

HERE = Path(__file__).parent
source = np.load(HERE / "torchvision_geometry.npz")
out = {}
for name in ("wide", "tall", "square"):
    tensor = torch.from_numpy(source[f"{name}/image"].copy()).permute(2, 0, 1)
    for operation in (F.autocontrast, F.equalize):
        out[f"{name}/tensor_{operation.__name__}"] = operation(tensor).permute(1, 2, 0).numpy()
np.savez_compressed(HERE / "torchvision_tone.npz", **out)
