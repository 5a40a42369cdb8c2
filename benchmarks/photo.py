"""The photo that transforms are measured on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification
FILE = Path(__file__).parents[1] / "data_samples" / "coffee.jpg"


def photo(edge: int) -> np.ndarray:
    """A real photo as a uint8 square."""
    return np.asarray(Image.open(FILE).convert("RGB").resize((edge, edge), Image.Resampling.BICUBIC))
