"""Writes torchvision_color.npz: colours by torchvision's tensor path and by TensorFlow.

Run in an environment of its own, from the root of the repository:

    pip install torch==2.14.1 torchvision==0.29.1 tensorflow-cpu==2.21.0 pillow==12.1.1 numpy
    python tests/golden/torchvision_color.py

Images are "<image>/image", uint8 (H, W, 3). What became of their bytes is "<image>/tensor_<operation>", of the same
divided by 255 "<image>/float_<operation>" by torchvision and "<image>/tf_<operation>" by TensorFlow, float32.
Stored: torchvision 0.29.1 with Pillow 12.1.1, TensorFlow 2.21.0.
"""

from pathlib import Path

import numpy as np
from PIL import Image

FACTORS = {  # to stay small, not every operation of every image
    "brightness": (0.4, 1.7),
    "contrast": (0.4, 1.7),
    "saturation": (0.4, 1.7),
    "gamma": (0.4, 1.7),
    "hue": (-0.3, 0.2),
}
FLOATS = ("contrast_0.4", "saturation_1.7", "hue_0.2")
TF = {"brightness": 0.2, "contrast": 1.7, "saturation": 0.4, "hue": 0.1, "gamma": 0.5}


def image(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth random picture: low-frequency noise, so that resampling has something to preserve."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 9, 2), max(width // 7, 2), 3)).astype(np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.BICUBIC)).astype(int)
    return np.clip(smooth + rng.integers(-12, 13, (height, width, 3)), 0, 255).astype(np.uint8)


def by_torch(pixels: np.ndarray) -> dict[str, np.ndarray]:
    import torch
    from torchvision.transforms.v2 import functional as F

    tensor = torch.from_numpy(pixels.copy()).permute(2, 0, 1)
    out = {}
    for name, factors in FACTORS.items():
        for factor in factors:
            adjust = getattr(F, f"adjust_{name}")
            out[f"tensor_{name}_{factor}"] = adjust(tensor, factor)
            if f"{name}_{factor}" in FLOATS:
                out[f"float_{name}_{factor}"] = adjust(tensor.float() / 255, factor)
    out["tensor_invert"] = F.invert(tensor)
    out["tensor_posterize3"] = F.posterize(tensor, 3)
    out["tensor_grayscale"] = F.rgb_to_grayscale(tensor, 3)
    out["tensor_solarize128"] = F.solarize(tensor, 128)
    return {name: result.permute(1, 2, 0).numpy() for name, result in out.items()}


def by_tf(pixels: np.ndarray) -> dict[str, np.ndarray]:
    import tensorflow as tf

    unit = pixels.astype(np.float32) / 255
    out = {f"tf_{name}_{v}": getattr(tf.image, f"adjust_{name}")(unit, v).numpy() for name, v in TF.items()}
    return out | {"tf_grayscale": tf.image.rgb_to_grayscale(unit).numpy()}


def main() -> None:
    import tensorflow as tf
    import torch
    import torchvision

    versions = [torch.__version__, torchvision.__version__, Image.__version__, tf.__version__]
    out = {"versions": np.array(versions)}
    for name, pixels in {"wide": image(1, 61, 133), "square": image(3, 64, 64)}.items():
        results = by_torch(pixels) | (by_tf(pixels) if name == "square" else {})
        if name == "wide":
            results = {key: array for key, array in results.items() if array.dtype == np.uint8}
        out |= {f"{name}/{key}": array for key, array in ({"image": pixels} | results).items()}
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **out)


if __name__ == "__main__":
    main()
