"""ONNX forms of resizes: their distance from Pillow and from the transform itself, in levels and share of bytes.

With antialias they are within one level. How many bytes are one off depends on how often a sum lies exactly between
two levels: under 0.5 % at scales of photos, up to 5 % where the scale is a small fraction such as 4 / 3.
"""

import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError

SIZES = [(375, 500), (500, 375), (300, 451), (61, 133), (133, 61), (400, 33), (7, 5), (1, 1), (1, 90)]


def image(height, width):
    """Coloured tiles with noise."""
    rng = np.random.default_rng(height * width)
    tiles = np.kron(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3)), np.ones((8, 8, 1)))
    return np.clip(tiles[:height, :width] + rng.normal(0, 20, (height, width, 3)), 0, 255).astype(np.uint8)


def apart(found, expected):
    """Largest difference in levels, and share of bytes that differ at all."""
    assert found.dtype == np.uint8
    assert found.shape == expected.shape
    off = np.abs(found.astype(int) - expected)
    return off.max(), (off > 0).mean()


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
def test_bytes_are_within_one_level_of_pillow_and_under_half_a_percent_of_a_photo(in_onnx, pillow, method):
    for step in (
        T.Resize(256, method=method),
        T.Resize((224, 224), method=method),
        T.Resize((90, 301), method=method),
    ):
        run = in_onnx(step)
        for size in SIZES:
            height, width = step.output_size(*size)
            most, share = apart(run(image(*size)), pillow(image(*size), height, width, method))
            assert most <= 1
            assert share < (0.005 if min(size) >= 300 else 0.05)


@pytest.mark.parametrize("numerics", ["pillow", "torch", "tf"])
def test_nearest_pixels_are_exact(in_onnx, numerics):
    methods = ["nearest", "nearest_exact"] if numerics == "torch" else ["nearest"]
    for method in methods:
        step = T.Resize((45, 70), method=method, numerics=numerics)
        run = in_onnx(step)
        for size in [(61, 133), (90, 140), (45, 1), (10, 7)]:
            np.testing.assert_array_equal(run(image(*size)), step(image(*size)))


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("numerics", ["pillow", "pillow13", "torch", "tf"])
def test_bytes_of_every_library_are_within_a_level_of_the_transform(in_onnx, numerics, method, antialias):
    """Two levels for Pillow's bilinear without antialias, where both passes may round the other way."""
    step = T.Resize((45, 70), method=method, numerics=numerics, antialias=antialias)
    run = in_onnx(step)
    for size in [(61, 133), (133, 61), (40, 99)]:
        most, share = apart(run(image(*size)), np.asarray(step(image(*size)), int))
        assert most <= (2 if method == "bilinear" and not antialias else 1)
        assert share < 0.05


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("numerics", ["pillow", "torch", "tf"])
def test_floats_are_those_of_the_transform(in_onnx, numerics, method, antialias):
    """To 2e-5 of 0..1; TensorFlow's cubics without antialias, whose weights come from a table, to 1e-3."""
    step = T.Resize((45, 70), method=method, numerics=numerics, antialias=antialias)
    run, floats = in_onnx(step, dtype="float32"), image(61, 133).astype(np.float32) / 255
    tolerance = 1e-3 if (numerics, method, antialias) == ("tf", "bicubic", False) else 2e-5
    np.testing.assert_allclose(run(floats), step(floats), atol=tolerance)


RULES = [
    T.Resize(32),
    T.Resize(33, numerics="tf"),
    T.Resize(32, max_size=50),
    T.Resize(32, max_size=33),
    T.Resize(None, max_size=47),
    T.Letterbox((30, 21)),
    T.Letterbox((30, 21), numerics="opencv", method="nearest"),
    T.CropToAspect((16, 9)),
]


@pytest.mark.parametrize("step", RULES[:5], ids=repr)
def test_sizes_are_computed_in_the_graph(in_onnx, step):
    run = in_onnx(step)
    sizes = np.random.default_rng(0).integers(1, 200, (60, 2)).tolist()
    for height, width in [*sizes, (1, 199), (199, 1), (33, 33)]:
        assert run(np.zeros((height, width, 3), np.uint8)).shape == (*step.output_size(height, width), 3)


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (T.Resize(8, method="lanczos"), "method='lanczos', numerics='pillow'"),
        (T.Resize(8, method="area"), "method='area'"),
        (T.Resize(8, numerics="opencv"), "numerics='opencv'"),
        (T.Letterbox(8, numerics="tf"), 'numerics="tf"'),
        (T.CenterCrop(8, numerics="tf"), "resizes images that are too small"),
    ],
    ids=repr,
)
def test_what_onnx_has_no_operation_for_is_refused_by_name(in_onnx, step, said):
    with pytest.raises(ConfigError, match=f"^{type(step).__name__}: has no ONNX form") as caught:
        in_onnx(step)
    assert said in caught.value.received
    assert 'onnx="network"' in caught.value.fix
