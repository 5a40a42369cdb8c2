"""Reading ahead: the next photos are decoded while the last ones are with the network."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import Any


def ahead[T](pool: Executor, read: Callable[[int, Any], T], sources: Iterable[Any], size: int) -> Iterator[list[T]]:
    """Reads numbered sources side by side, in order, one chunk further than is asked for.

    Args:
        pool: Does the reading.
        read: Called with the number of a source and the source.
        sources: Of any length; at most two chunks are held.
        size: Of a chunk.

    Returns:
        An iterator over chunks. What the sources themselves raise comes after the last chunk that they gave.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with ThreadPoolExecutor(2) as pool:
        ...     list(ahead(pool, lambda number, word: word * number, "abc", 2))
        [['', 'b'], ['cc']]
    """
    numbered, broken = enumerate(sources), None

    def submitted() -> list[Future[T]]:
        nonlocal broken
        begun: list[Future[T]] = []
        try:
            for number, source in itertools.islice(numbered, size):
                begun.append(pool.submit(read, number, source))
        except Exception as error:  # theirs; what they gave before is not lost
            broken = error
        return begun

    chunk = submitted()
    while chunk:
        following = submitted() if broken is None else []
        yield [reading.result() for reading in chunk]
        chunk = following
    if broken is not None:
        raise broken
