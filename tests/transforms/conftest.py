"""One of each public transform, with arguments that differ from the defaults."""

from __future__ import annotations

from e2e_jax import transforms as T

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet, torchvision's references/classification

EACH = [
    T.Resize(20, max_size=33, method="bicubic"),
    T.Resize((11, 30), method="area", numerics="pillow13"),
    T.Resize((31, 12), method="nearest"),
    T.Resize((9, 9), antialias=False),
    T.Resize(None, max_size=25, numerics="opencv"),
    T.CenterCrop(18, fill=7),
    T.CenterCrop((40, 13), rounding="floor", fill=3),
    T.Crop(2, 3, 9, 8),
    T.Crop(-2, 3, 60, 50, padding=True, fill=9),
    T.Pad((1, 2, 3, 4), fill=200),
    T.Pad(2),
    T.HorizontalFlip(),
    T.VerticalFlip(),
    T.Pad((3, 2, 1, 4), mode="reflect"),
    T.Pad(40, mode="symmetric"),
    T.Pad((5, 0), mode="edge"),
    T.Resize((20, 35), numerics="torch"),
    T.Resize((21, 33), numerics="opencv"),
    T.Resize((21, 33), numerics="tf", method="bicubic"),
    T.CenterCrop((40, 13), numerics="opencv"),
    T.CenterCrop((21, 50), numerics="tf"),
    T.Letterbox((30, 21), fill=114, numerics="opencv"),
    T.Letterbox(24, method="bicubic"),
    T.Letterbox((19, 40), pad_first=True, fill=3),
    T.CropToAspect((16, 8)),
    T.CropResize(3, 2, 20, 17, (9, 12), method="area"),
    T.FiveCrop((12, 9)),
    T.TenCrop(11, vertical=True),
    T.Tile((16, 9), overlap=(4, 3)),
    T.Rotate(-20, fill=7),
    T.Rotate(41, expand=True, method="nearest"),
    T.Affine(angle=5, translate=(2, -3), scale=1.25, shear=(4, 3), numerics="opencv"),
    T.Perspective([(0, 0), (20, 0), (20, 30), (0, 30)], [(2, 1), (18, 3), (20, 30), (1, 28)], numerics="torch"),
    T.Grayscale(),
    T.Grayscale(3, numerics="torch"),
    T.Grayscale(numerics="opencv"),
    T.ToRGB(),
    T.ChannelOrder((2, 0, 1)),
    T.Invert(),
    T.Posterize(3),
    T.Solarize(128),
    T.Brightness(1.3),
    T.Contrast(1.7),
    T.Contrast(0.4, numerics="torch"),
    T.Contrast(1.4, numerics="tf"),
    T.Saturation(0.3),
    T.Saturation(1.8, numerics="torch"),
    T.Gamma(0.6, 1.1),
    T.Hue(0.2),
    T.Hue(-0.3, numerics="torch"),
    T.Equalize(numerics="opencv"),
    T.AutoContrast((1, 3.5)),
    T.ConvertBoxes("xyxy", "xywh_normalized"),
    T.ClampBoxes(),
    T.SanitizeBoxes(min_size=3),
    T.BoundingBoxFlip("vertical"),
    T.Rescale(1 / 127.5, -1),
    T.Denormalize(127, 128.5),
    T.ToTensor(),
    T.Normalize(127, 128.5),
    T.GaussianBlur(5),
    T.GaussianBlur((7, 3), (1.5, 0.8), numerics="opencv"),
    T.Sharpness(1.7),
    T.Sharpness(0.3, numerics="torch"),
    T.Window(90, 101.5),
    T.Percentile(3, 88.5),
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
    given = [name for mark in metafunc.definition.iter_markers("parametrize") for name in _names(mark.args[0])]
    if "step" in metafunc.fixturenames and "step" not in given:
        metafunc.parametrize("step", EACH, ids=lambda step: repr(step)[:60])


def _names(argnames: str | tuple[str, ...]) -> list[str]:
    return argnames.split(",") if isinstance(argnames, str) else list(argnames)
