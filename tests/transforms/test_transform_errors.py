"""Every wrong argument meets a ConfigError of three lines at the constructor: expected, received, fix."""

from __future__ import annotations

import inspect

import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError

NAN, INFINITE = float("nan"), float("inf")
BOX = [(0, 0), (2, 0), (2, 2), (0, 2)]

WRONG = [
    (lambda: T.Resize(0), "Resize: size must be positive pixels.", "size=0"),
    (lambda: T.Resize((0, 224)), "Resize: size must be positive pixels.", "size=(0, 224)"),
    (lambda: T.Resize((5,)), "Resize: size must be positive pixels.", "size=(5,)"),
    (lambda: T.Resize((1, 2, 3)), "Resize: size must be positive pixels.", "size=(1, 2, 3)"),
    (lambda: T.Resize(2.5), "Resize: size must be positive pixels.", "size=2.5"),
    (lambda: T.Resize(True), "Resize: size must be positive pixels.", "size=True"),
    (lambda: T.Resize("224"), "Resize: size must be positive pixels.", "size='224'"),
    (lambda: T.Resize(None), "Resize: size must be positive pixels.", "size=None"),
    (lambda: T.Resize(256, max_size=256), "Resize: max_size must exceed an int size.", "size=256, max_size=256"),
    (lambda: T.Resize((2, 3), max_size=9), "Resize: max_size must exceed an int size.", "size=(2, 3), max_size=9"),
    (lambda: T.Resize(256, max_size="512"), "Resize: max_size must be a whole number.", "max_size='512'"),
    (lambda: T.Resize(3, method="cubic"), "Resize: method must be known.", "method='cubic'"),
    (lambda: T.Resize(3, numerics="mxnet"), "Resize: numerics must be known.", "numerics='mxnet'"),
    (lambda: T.Resize(3, antialias="no"), "Resize: antialias must be True or False.", "antialias='no'"),
    (lambda: T.Resize(), "Resize: the arguments must fit Resize(size, ", "missing a required argument: 'size'"),
    (lambda: T.Resize(3, interpolation=2), "Resize: the arguments must fit Resize(size, ", "'interpolation'"),
    (
        lambda: T.Compose([T.ToLayout("CHW"), T.Normalize(0.5, 0.5)]),
        "Compose: ToLayout must be the last step.",
        "Normalize((0.5,), (0.5,)) after ToLayout('CHW')",
    ),
    (lambda: T.CenterCrop(0), "CenterCrop: size must be positive pixels.", "size=0"),
    (lambda: T.CenterCrop((5,)), "CenterCrop: size must be positive pixels.", "size=(5,)"),
    (lambda: T.CenterCrop(3, rounding="up"), "CenterCrop: rounding must be known.", "rounding='up'"),
    (lambda: T.CenterCrop(3, smaller="crop"), "CenterCrop: smaller must be known.", "smaller='crop'"),
    (lambda: T.CenterCrop(3, fill="red"), "CenterCrop: fill must be numbers.", "fill='red'"),
    (lambda: T.CenterCrop(3, fill=()), "CenterCrop: fill must be numbers.", "fill=()"),
    (lambda: T.CenterCrop(3, 4), "CenterCrop: the arguments must fit CenterCrop(size, ", "positional"),
    (lambda: T.Crop(-1, 0, 2, 2), "Crop: the window must start inside the image.", "top=-1, left=0"),
    (lambda: T.Crop(0, 0, 2, 0), "Crop: height and width must be positive pixels.", "(2, 0)"),
    (lambda: T.Crop(0.5, 0, 2, 2), "Crop: top must be a whole number.", "top=0.5"),
    (lambda: T.Crop(0, "a", 2, 2), "Crop: left must be a whole number.", "left='a'"),
    (lambda: T.Crop(0, 0, 2, 2, padding=None), "Crop: padding must be True or False.", "padding=None"),
    (lambda: T.Crop(0, 0, 2, 2, fill=None), "Crop: fill must be numbers.", "fill=None"),
    (lambda: T.Pad(-1), "Pad: padding must be one, two or four lengths", "padding=-1"),
    (lambda: T.Pad((1, 2, 3)), "Pad: padding must be one, two or four lengths", "padding=(1, 2, 3)"),
    (lambda: T.Pad(1.5), "Pad: padding must be one, two or four lengths", "padding=1.5"),
    (lambda: T.Pad(True), "Pad: padding must be one, two or four lengths", "padding=True"),
    (lambda: T.Pad(None), "Pad: padding must be one, two or four lengths", "padding=None"),
    (lambda: T.Pad(1, fill=["1"]), "Pad: fill must be numbers.", "fill=['1']"),
    (lambda: T.Pad(1, mode="wrap"), "Pad: mode must be known.", "mode='wrap'"),
    (lambda: T.Normalize(0, 0), "Normalize: std must not be zero.", "std=0"),
    (lambda: T.Normalize((0, 0, 0), (1, 0, 1)), "Normalize: std must not be zero.", "std=(1, 0, 1)"),
    (lambda: T.Normalize(NAN, 1), "Normalize: mean must be finite numbers.", "mean=nan"),
    (lambda: T.Normalize(0, INFINITE), "Normalize: std must be finite numbers.", "std=inf"),
    (lambda: T.Normalize("0", 1), "Normalize: mean must be finite numbers.", "mean='0'"),
    (lambda: T.Normalize((), 1), "Normalize: mean must be finite numbers.", "mean=()"),
    (lambda: T.Normalize(0.5), "Normalize: the arguments must fit Normalize(mean, std).", "'std'"),
    (lambda: T.Cast("float64"), "Cast: dtype must be known.", "dtype='float64'"),
    (lambda: T.ToLayout("NCHW"), "ToLayout: layout must be known.", "layout='NCHW'"),
    (lambda: T.ToTensor(3), "ToTensor: the arguments must fit ToTensor().", "positional"),
    (lambda: T.ListToBatch(3), "ListToBatch: the arguments must fit ListToBatch().", "positional"),
    (
        lambda: T.Compose([T.HorizontalFlip(), len]),
        "Compose: every step must be a Transform.",
        "<built-in function len>",
    ),
    (lambda: T.Compose([T.Classify(["a"])]), "Compose: every step must be a Transform.", "Classify(('a',))"),
    (lambda: T.Compose(T.HorizontalFlip()), "Compose: steps must be a list.", "Flip()"),
    (lambda: T.Compose([{"type": "Blur"}]), "Transform: the config's type must be known.", "'Blur'"),
    (lambda: T.Classify([]), "Classify: labels must be names.", "[]"),
    (lambda: T.Classify("cat"), "Classify: labels must be names.", "'cat'"),
    (lambda: T.Classify(1000), "Classify: labels must be names.", "1000"),
    (lambda: T.Classify(["a", 3]), "Classify: labels must be names.", "['a', 3]"),
    (lambda: T.Classify(["a"], top_k=0), "Classify: top_k must be a whole number.", "top_k=0"),
    (lambda: T.Classify(["a"], top_k=2.5), "Classify: top_k must be a whole number.", "top_k=2.5"),
    (lambda: T.Classify(["a"], activation="relu"), "Classify: activation must be known.", "activation='relu'"),
    (lambda: T.Letterbox((0, 3)), "Letterbox: size must be positive pixels.", "size=(0, 3)"),
    (lambda: T.Letterbox(3, pad_first=1), "Letterbox: pad_first must be True or False.", "pad_first=1"),
    (lambda: T.CropToAspect("16:9"), "CropToAspect: size must be positive pixels.", "size='16:9'"),
    (lambda: T.CropResize(0, 0, 0, 4, 8), "CropResize: height must be a whole number.", "height=0"),
    (lambda: T.CropResize(0, 0, 4, 4, 8, method="x"), "CropResize: method must be known.", "method='x'"),
    (lambda: T.FiveCrop(0), "FiveCrop: size must be positive pixels.", "size=0"),
    (lambda: T.TenCrop(4, vertical="yes"), "TenCrop: vertical must be True or False.", "vertical='yes'"),
    (lambda: T.Tile(8, overlap=8), "Tile: the overlap must be smaller than the tile.", "overlap=8, size=8"),
    (lambda: T.Tile(8, overlap=-1), "Tile: overlap must be whole pixels.", "overlap=-1"),
    (lambda: T.Rotate(NAN), "Rotate: angle must be a finite number.", "angle=nan"),
    (lambda: T.Rotate(5, expand="yes"), "Rotate: expand must be True or False.", "expand='yes'"),
    (lambda: T.Rotate(5, method="lanczos"), "Rotate: method must be known.", "method='lanczos'"),
    (lambda: T.Rotate(5, numerics="tf"), "Rotate: numerics must be known.", "numerics='tf'"),
    (lambda: T.Affine(scale=0), "Affine: scale must be at least 0.001.", "scale=0"),
    (lambda: T.Affine(translate=3), "Affine: translate must be 2 numbers.", "translate=3"),
    (lambda: T.Perspective([(0, 0)], BOX), "Perspective: start must be four points (x, y).", "start=[(0, 0)]"),
    (lambda: T.Perspective(BOX, BOX[:3] + BOX[:1]), "Perspective: no three points of end may lie in", "end=["),
    (lambda: T.Resize(None, max_size=0), "Resize: max_size must be a whole number.", "max_size=0"),
    (lambda: T.Elastic(alpha=-1), "Elastic: alpha must be at least 0.", "alpha=-1"),
    (lambda: T.Elastic(sigma=(1, 2, 3)), "Elastic: sigma must be 0..1000.", "sigma=(1, 2, 3)"),
    (lambda: T.Elastic(numerics="tf"), "Elastic: numerics must be known.", "numerics='tf'"),
    (lambda: T.Lambda(3), "Lambda: function must be callable.", "3"),
    (
        lambda: T.ResizeCropNormalize(9, 0, mean=0, std=1),
        "ResizeCropNormalize: crop_size must be positive",
        "size=0",
    ),
    (lambda: T.ResizeCropNormalize(9, 3, 0, 1), "ResizeCropNormalize: the arguments must fit", "positional"),
    (lambda: T.CropMirrorNormalize(9, mean=0, std=1, mirror=1), "CropMirrorNormalize: mirror must be", "mirror=1"),
    (lambda: T.ResizeCropMirror(0, 3), "ResizeCropMirror: size must be positive pixels.", "size=0"),
    (lambda: T.FastResizeCropMirror(0, 3), "FastResizeCropMirror: size must be positive pixels.", "size=0"),
    (lambda: T.RandomResizedCrop(8, scale=(0.5, 0.1)), "RandomResizedCrop: scale must be two rising", "(0.5, 0.1)"),
    (lambda: T.RandomResizedCrop(8, scale=(0.5, 1.5)), "RandomResizedCrop: scale must be two rising", "(0.5, 1.5)"),
    (lambda: T.RandomResizedCrop(8, ratio=(2, 1)), "RandomResizedCrop: ratio must be two rising", "ratio=(2, 1)"),
    (lambda: T.RandomResizedCrop(8, ratio=1), "RandomResizedCrop: ratio must be two rising", "ratio=1"),
    (lambda: T.RandomCrop(0), "RandomCrop: size must be positive pixels.", "size=0"),
    (lambda: T.RandomCrop(3, mode="wrap"), "RandomCrop: mode must be known.", "mode='wrap'"),
    (lambda: T.RandomHorizontalFlip(1.5), "RandomHorizontalFlip: p must be 0..1.", "p=1.5"),
    (lambda: T.RandomHorizontalFlip(NAN), "RandomHorizontalFlip: p must be 0..1.", "p=nan"),
    (lambda: T.RandomVerticalFlip(-0.1), "RandomVerticalFlip: p must be 0..1.", "p=-0.1"),
    (lambda: T.RandomZoomOut(side_range=(0.5, 2)), "RandomZoomOut: side_range must be two rising", "(0.5, 2)"),
    (lambda: T.RandomExpand(max_ratio=0.5), "RandomExpand: max_ratio must be 1..16.", "max_ratio=0.5"),
    (lambda: T.RandomRotation((10, -10)), "RandomRotation: degrees must be two rising numbers.", "(10, -10)"),
    (lambda: T.RandomRotation(-3), "RandomRotation: degrees must be at least 0.", "degrees=-3"),
    (lambda: T.RandomAffine(9, translate=(0.1, 1.5)), "RandomAffine: translate must be 0..1.", "translate=1.5"),
    (lambda: T.RandomAffine(9, scale=(2, 1)), "RandomAffine: scale must be two rising numbers", "scale=(2, 1)"),
    (lambda: T.RandomPerspective(distortion_scale=2), "RandomPerspective: distortion_scale must be 0..1.", "=2"),
    (lambda: T.RandomApply([], p=2), "RandomApply: p must be 0..1.", "p=2"),
    (lambda: T.RandomChoice([]), "RandomChoice: every step needs a weight.", "weights=None, 0 steps"),
    (lambda: T.RandomOrder([len]), "RandomOrder: every step must be a Transform.", "<built-in function len>"),
]


@pytest.mark.parametrize(("make", "expected", "received"), WRONG, ids=[f"{e.split()[0]}{r}" for _, e, r in WRONG])
def test_wrong_arguments_are_refused_in_three_lines(make, expected, received):
    with pytest.raises(ConfigError) as error:
        make()
    said, came, todo = str(error.value).split("\n")
    assert said.startswith(expected)
    assert came.startswith("  Received: ")
    assert received in came
    assert todo.startswith("  Fix: ")
    assert len(todo) > len("  Fix: x")


def test_every_transform_with_arguments_has_a_wrong_one_here():
    tried = {expected.partition(":")[0] for _, expected, _ in WRONG}
    public = {name for name in vars(T) if name in T.Transform.registry}
    with_arguments = {name for name in public if len(inspect.signature(getattr(T, name).__init__).parameters) > 1}
    assert with_arguments <= tried
