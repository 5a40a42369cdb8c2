"""Iterators of photos: predicted as they are asked for, in bounded memory, without losing good ones."""

import itertools
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from model_fixtures import photo

import e2e_jax as e2e
from e2e_jax.streaming import ahead


def endless(taken):
    for number in itertools.count():
        taken.append(number)
        yield photo(24, 30, seed=number % 5)


def test_an_iterator_is_predicted_as_it_is_asked_for(predictor):
    taken = []
    stream = predictor.predict(endless(taken), batch_size=4, progress=False)
    assert taken == []
    first = list(itertools.islice(stream, 6))
    assert len(taken) <= 12, "two chunks at most are ahead"
    expected = predictor.predict([photo(24, 30, seed=n) for n in range(5)])
    assert [one.top for one in first] == [one.top for one in [*expected, expected[0]]]
    stream.close()


def test_an_empty_iterator_gives_nothing(predictor):
    assert list(predictor.predict(iter([]))) == []


def test_one_bad_photo_in_a_hundred_is_reported_in_its_place(predictor):
    sources = [None if n % 100 == 50 else photo(24, 30, seed=n % 3) for n in range(300)]
    results = list(predictor.predict(iter(sources), on_error="skip", progress=False))
    bad = [n for n, result in enumerate(results) if isinstance(result, e2e.ImageError)]
    assert (len(results), bad) == (300, [50, 150, 250])
    assert results[150].__notes__ == ["item 150 of the list"]


def test_raise_comes_after_all_good_ones_before_it(predictor):
    sources = [photo(24, 30)] * 7 + [None] + [photo(24, 30)]
    stream, results = predictor.predict(iter(sources), batch_size=4, progress=False), []
    with pytest.raises(e2e.ImageError) as caught:
        for result in stream:
            results.append(result)
    assert len(results) == 7
    assert caught.value.__notes__ == ["item 7 of the list"]


def test_what_the_iterator_itself_raises_comes_after_what_it_gave(predictor):
    def broken():
        yield from [photo(24, 30)] * 5
        raise OSError("the disk is gone")

    results = []
    with pytest.raises(OSError, match="the disk is gone"):
        for result in predictor.predict(broken(), batch_size=4, progress=False):
            results.append(result)
    assert len(results) == 5


def test_ctrl_c_leaves_what_was_done(predictor):
    def interrupted():
        yield from [photo(24, 30)] * 9
        raise KeyboardInterrupt

    results = []
    with pytest.raises(KeyboardInterrupt):
        for result in predictor.predict(interrupted(), batch_size=4, progress=False):
            results.append(result)
    assert len(results) >= 4


def test_memory_does_not_grow_with_the_number_of_photos(predictor):
    def peak(count):
        sources = (np.zeros((200, 200, 3), np.uint8) for _ in range(count))
        for _ in predictor.predict(sources, batch_size=8, progress=False):
            pass
        tracemalloc.start()
        sources = (np.zeros((200, 200, 3), np.uint8) for _ in range(count))
        for _ in predictor.predict(sources, batch_size=8, progress=False):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(160) < 1.5 * peak(40)


@pytest.mark.parametrize("size", [0, -1, 1.5, None, True])
def test_batch_sizes_are_positive_numbers(predictor, size):
    with pytest.raises(e2e.ConfigError, match="batch_size"):
        predictor.predict(iter([]), batch_size=size)


def test_ahead_reads_one_chunk_further_in_order():
    started, lock = [], threading.Lock()

    def read(number, source):
        with lock:
            started.append(number)
        return number, source

    with ThreadPoolExecutor(3) as pool:
        chunks = ahead(pool, read, "abcdefgh", 3)
        assert next(chunks) == [(0, "a"), (1, "b"), (2, "c")]
        assert next(chunks) == [(3, "d"), (4, "e"), (5, "f")]
        assert list(chunks) == [[(6, "g"), (7, "h")]]
    assert sorted(started) == list(range(8))
