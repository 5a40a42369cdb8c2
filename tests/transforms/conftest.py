"""One of each public transform, with arguments that differ from the defaults."""

from __future__ import annotations

from e2e_jax import transforms as T

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification

EACH = [
    T.Resize(20, max_size=33, method="bicubic"),
    T.Resize((11, 30), method="area", numerics="pillow13"),
    T.Resize((31, 12), method="nearest"),
    T.Resize((9, 9), antialias=False),
    T.CenterCrop(18, fill=7),
    T.CenterCrop((40, 13), rounding="floor", fill=3),
    T.Crop(2, 3, 9, 8),
    T.Crop(-2, 3, 60, 50, padding=True, fill=9),
    T.Pad((1, 2, 3, 4), fill=200),
    T.Pad(2),
    T.HorizontalFlip(),
    T.VerticalFlip(),
    T.ToTensor(),
    T.Normalize(127, 128.5),
    T.Cast("float32"),
    T.Cast("int32"),
    T.ToLayout("CHW"),
    T.ListToBatch(),
    T.Compose([]),
    T.Compose(
        [
            T.Resize(24),
            T.CenterCrop((20, 16)),
            T.HorizontalFlip(),
            T.ToTensor(),
            T.Normalize(0.5, 0.25),
            T.ToLayout("CHW"),
        ]
    ),
    T.Compose([T.Pad(1), T.Compose([T.Resize((8, 9)), T.HorizontalFlip()]), T.Resize((12, 5), method="lanczos")]),
]


def pytest_generate_tests(metafunc):
    if "step" in metafunc.fixturenames and "op" not in metafunc.fixturenames:
        metafunc.parametrize("step", EACH, ids=lambda step: repr(step)[:60])
