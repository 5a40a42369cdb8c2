"""One photo in a slot that is used again: as `list_to_batch` lays it, whatever lay there before."""

import threading

import numpy as np
import pytest
from model_fixtures import photo

from e2e_jax import staging
from e2e_jax.ops.batch import list_to_batch
from e2e_jax.staging import Staging

SIZES = [(40, 50), (64, 30), (64, 64), (30, 64), (5, 5), (100, 70), (40, 50), (1, 200), (200, 1), (60, 60)]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_photo_lies_as_in_a_batch_of_one_whatever_came_before(dtype):
    stage = Staging()
    for number, size in enumerate(SIZES):
        image = (photo(*size, seed=number) + 1).astype(dtype)
        laid, expected = stage.lay(image), list_to_batch([image])
        np.testing.assert_array_equal(laid.pixels, expected.pixels)
        np.testing.assert_array_equal(laid.sizes, expected.sizes)
        assert (laid.pixels.dtype, laid.sizes.dtype) == (expected.pixels.dtype, expected.sizes.dtype)


def test_dtype_and_channels_may_change():
    stage = Staging()
    for image in (photo(), photo().astype(np.float32), photo(channels=1), photo()):
        np.testing.assert_array_equal(stage.lay(image).pixels, list_to_batch([image]).pixels)


def test_memory_is_used_again_unless_it_is_much(monkeypatch):
    stage = Staging()
    assert np.shares_memory(stage.lay(photo(40, 50)).pixels, stage.lay(photo(50, 40)).pixels)
    monkeypatch.setattr(staging, "LARGEST_KEPT", 64 * 64 * 3)
    first = stage.lay(photo(100, 100)).pixels
    assert not np.shares_memory(first, stage.lay(photo(100, 90)).pixels)
    np.testing.assert_array_equal(first, list_to_batch([photo(100, 100)]).pixels)


def test_threads_have_slots_of_their_own():
    stage, other = Staging(), []
    mine = stage.lay(photo()).pixels
    thread = threading.Thread(target=lambda: other.append(stage.lay(photo(seed=1)).pixels))
    thread.start()
    thread.join()
    assert not np.shares_memory(mine, other[0])
    np.testing.assert_array_equal(mine, list_to_batch([photo()]).pixels)


def test_a_photo_that_fills_its_slot_is_not_copied():
    image = photo(64, 64)
    assert np.shares_memory(Staging().lay(image).pixels, image)


@pytest.mark.parametrize("edge", [30, 40, 70, 130, 260, 520])
def test_memory_is_laid_out_so_that_xla_need_not_copy_it(edge):
    assert Staging().lay(photo(edge, edge)).pixels.ctypes.data % 64 == 0
