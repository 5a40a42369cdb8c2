"""Many threads on one predictor, and a long stream of photos: the benchmark's functions, for seconds."""

import e2e_jax as e2e
from benchmarks.load import hammered, streamed

GROWTH = 64e6  # bytes that the allocator may keep without anything being lost


def test_a_hundred_threads_get_right_answers_from_few_programs(tiny_file):
    found = hammered(e2e.load(tiny_file), seconds=6.0)
    assert found["calls"] >= 100
    assert found["wrong"] == 0
    assert found["programs"] <= 14
    assert found["doubled"] == 0
    assert found["after"] - found["before"] < GROWTH


def test_a_long_stream_takes_no_more_memory_and_reports_bad_photos_in_place(predictor):
    found = streamed(predictor, 1500, progress=False)
    assert (found["bad"], found["in place"]) == (15, True)
    assert found["grown"] < GROWTH
