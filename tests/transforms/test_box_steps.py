"""Transforms of boxes: formats in and out of a pipeline, what is fit, and the crops of SSD."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from e2e_jax import transforms as T
from e2e_jax.errors import ConfigError, ImageError

SIZE = (40, 80)
IMAGE = np.random.default_rng(1).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
BOXES = np.array([[10, 5, 30, 25], [50, 8, 74, 40], [2, 30, 9, 38]], np.float32)
KEYS = [jax.random.key(n) for n in range(40)]


def test_annotations_of_another_format_go_in_and_come_out():
    xywh = np.array([[10, 5, 20, 20], [50, 8, 24, 32], [2, 30, 7, 8]], np.float32)
    steps = T.Compose(
        [T.ConvertBoxes("xywh", "xyxy"), T.HorizontalFlip(), T.ConvertBoxes("xyxy", "cxcywh_normalized")]
    )
    moved = steps(T.Sample(IMAGE, boxes=xywh))
    mirrored = BOXES[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [80, 0, 80, 0]
    centres = (mirrored[:, :2] + mirrored[:, 2:]) / 2 / [80, 40]
    np.testing.assert_allclose(moved.boxes[:, :2], centres, rtol=1e-6)
    np.testing.assert_allclose(moved.boxes[:, 2:], xywh[:, 2:] / [80, 40], rtol=1e-6)
    np.testing.assert_array_equal(moved.image, IMAGE[:, ::-1])


def test_geometry_after_another_format_is_refused_when_built():
    with pytest.raises(ConfigError) as caught:
        T.Compose([T.ConvertBoxes("xyxy", "cxcywh"), T.ToTensor(), T.Resize(9)])
    said, received, fix = str(caught.value).splitlines()
    assert said == "Compose: Resize must get boxes as xyxy."
    assert received == "  Received: Resize(9) after ConvertBoxes('xyxy', 'cxcywh')"
    assert fix == '  Fix: put ConvertBoxes("cxcywh", "xyxy") between them, or the conversion last.'
    T.Compose([T.ConvertBoxes("xyxy", "xywh"), T.ToTensor(), T.ConvertBoxes("xywh", "xyxy"), T.Resize(9)])


def test_boxes_of_another_format_are_refused_without_a_conversion():
    normalised = T.Sample(IMAGE, boxes=np.array([[0.5, 0.5, 0.2, 0.2]], np.float32))
    with pytest.raises(ImageError, match="must run from left, top to right, bottom"):
        T.HorizontalFlip()(normalised)
    assert T.ConvertBoxes("cxcywh_normalized", "xyxy")(normalised).boxes.tolist() == [[32, 16, 48, 24]]


def test_batches_lists_and_no_boxes_convert_alike():
    step = T.ConvertBoxes("xyxy", "xyxy_normalized")
    alone = np.asarray(step(T.Sample(IMAGE, boxes=BOXES)).boxes)
    batch = step(T.Sample(np.stack([IMAGE] * 2), boxes=np.stack([BOXES] * 2)))
    np.testing.assert_array_equal(batch.boxes[1], alone)
    ragged = step([T.Sample(IMAGE, boxes=BOXES), T.Sample(IMAGE[:, :76], boxes=BOXES)])
    np.testing.assert_allclose(ragged.boxes[0], alone, rtol=1e-6)
    np.testing.assert_allclose(ragged.boxes[1], BOXES / [76, 40, 76, 40], rtol=1e-6)
    assert step(T.Sample(IMAGE, boxes=np.zeros((0, 4)))).boxes.shape == (0, 4)
    np.testing.assert_array_equal(step(IMAGE), IMAGE)


def test_clamp_sanitize_and_flip():
    outside = T.Sample(IMAGE, boxes=np.array([[-5, 5, 30, 60], [78, 1, 79, 1.5]], np.float32))
    fit = T.Compose([T.ClampBoxes(), T.SanitizeBoxes(min_size=1)])(outside)
    assert fit.boxes.tolist() == [[0, 5, 30, 40], [78, 1, 79, 1.5]]
    assert fit.valid.tolist() == [True, False]
    marked = T.Sample(IMAGE, boxes=BOXES, valid=np.array([False, True, True]))
    assert T.SanitizeBoxes(min_area=100)(marked).valid.tolist() == [False, True, False]
    flipped = T.BoundingBoxFlip()(T.Sample(IMAGE, boxes=BOXES))
    np.testing.assert_array_equal(flipped.image, IMAGE)
    np.testing.assert_array_equal(flipped.boxes, T.HorizontalFlip()(T.Sample(IMAGE, boxes=BOXES)).boxes)
    upside = T.BoundingBoxFlip("vertical")(T.Sample(IMAGE, boxes=BOXES)).boxes
    np.testing.assert_array_equal(upside, T.VerticalFlip()(T.Sample(IMAGE, boxes=BOXES)).boxes)


def overlap(box, window) -> float:
    """Intersection over union, by hand."""
    wide = min(box[2], window[2]) - max(box[0], window[0])
    high = min(box[3], window[3]) - max(box[1], window[1])
    common = max(wide, 0) * max(high, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (box, window)]
    return common / (sum(areas) - common)


@pytest.fixture(scope="module")
def crops():
    """Many crops of one sample, with what was drawn."""
    step = T.SSDRandomCrop(thresholds=[0.3], scale=(0.4, 0.9))
    mask = np.arange(40 * 80).reshape(SIZE)
    given = T.Sample(IMAGE, boxes=BOXES, mask=mask, keypoints=np.array([[20, 15]], np.float32))
    return [step(given, key=key, return_draws=True) for key in KEYS]


def windows(crops) -> list[tuple]:
    found = []
    for moved, (drawn,) in crops:
        top, left, height, width = (int(drawn[name]) for name in ("top", "left", "height", "width"))
        found.append((moved, bool(drawn["whole"]), (left, top, left + width, top + height)))
    return found


def test_every_ssd_window_keeps_its_promises(crops):
    found = windows(crops)
    for moved, whole, (left, top, right, bottom) in found:
        np.testing.assert_array_equal(moved.image, IMAGE[top:bottom, left:right])
        assert moved.mask[0, 0] == top * 80 + left
        assert moved.keypoints.tolist() == [[20 - left, 15 - top]]
        shift = [left, top, left, top]
        size = [right - left, bottom - top] * 2
        np.testing.assert_allclose(moved.boxes, np.clip(BOXES - shift, 0, size), rtol=0, atol=1e-4)
        centres = (BOXES[:, :2] + BOXES[:, 2:]) / 2
        inside = ((centres > (left, top)) & (centres < (right, bottom))).all(-1)
        assert moved.valid.tolist() == (inside | whole).tolist()
        if not whole:
            assert inside.any()
            assert 0.5 <= (right - left) / (bottom - top) <= 2
            assert 0.39 <= (right - left) / 80 <= 0.9


def test_a_third_stays_whole_a_third_is_free_and_a_third_meets_the_threshold(crops):
    found = windows(crops)
    most = [max(overlap(box, window) for box in BOXES.tolist()) for _, whole, window in found if not whole]
    whole = sum(whole for _, whole, _ in found)
    assert 4 <= whole <= 25
    assert len({window for _, _, window in found}) > 10
    assert min(most) < 0.3, "the option without a threshold"


def test_thresholds_are_met_where_no_other_option_is_drawn():
    boxes = np.array([[10, 5, 50, 35]], np.float32)
    free = 0
    for key in KEYS:
        _, (drawn,) = T.SSDRandomCrop(thresholds=[0.7] * 50)(
            T.Sample(IMAGE, boxes=boxes), key=key, return_draws=True
        )
        left, top = int(drawn["left"]), int(drawn["top"])
        window = (left, top, left + int(drawn["width"]), top + int(drawn["height"]))
        free += not drawn["whole"] and overlap(boxes[0].tolist(), window) < 0.7
    assert free <= 5  # one in 52 draws asks for nothing


def test_ssd_crops_single_batch_list_and_replay_alike():
    step, given = T.SSDRandomCrop(), T.Sample(IMAGE, boxes=BOXES)
    alone, draws = step(given, key=KEYS[3], return_draws=True)
    batch = step(T.Sample(np.stack([IMAGE] * 2), boxes=np.stack([BOXES] * 2)), key=KEYS[3])
    ragged = step([given, T.Sample(IMAGE[:, :76], boxes=BOXES)], key=KEYS[3])
    for many in (batch, ragged):
        height, width = (int(n) for n in many.image.sizes[0])
        assert (height, width) == alone.image.shape[:2]
        np.testing.assert_array_equal(many.image.pixels[0, :height, :width], alone.image)
        np.testing.assert_allclose(many.boxes[0], alone.boxes, rtol=0, atol=1e-4)
    again = step(given, draws=draws)
    np.testing.assert_array_equal(again.image, alone.image)


def test_ssd_keeps_the_boxes_of_an_image_it_leaves():
    """The centre of this one lies beside the image, so that no window suits."""
    given = T.Sample(IMAGE, boxes=np.array([[-30, 5, 10, 25]], np.float32))
    moved = T.SSDRandomCrop()(given, key=KEYS[0])
    assert moved.valid.tolist() == [True]
    assert moved.boxes.tolist() == [[0, 5, 10, 25]]
    np.testing.assert_array_equal(moved.image, IMAGE)


def test_ssd_leaves_what_has_no_boxes_that_count():
    step = T.SSDRandomCrop(thresholds=[0.5])
    for boxes, valid in ((np.zeros((0, 4)), None), (BOXES, np.zeros(3, bool)), (None, None)):
        for key in KEYS[:6]:
            moved = step(T.Sample(IMAGE, boxes=boxes, valid=valid), key=key)
            np.testing.assert_array_equal(moved.image, IMAGE)
    still = T.Compose([step, T.ToTensor()])
    still.eval()
    assert still(T.Sample(IMAGE, boxes=BOXES)).image.shape == IMAGE.shape
