"""Tables of a flatbuffer, read strictly: what lies outside its bytes, or before its start, is an error."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple


class FlatTable(NamedTuple):
    """One table.

    Args:
        content: The whole flatbuffer.
        at: Where the table starts, in bytes.

    Source:
        FlatBuffers internals, https://flatbuffers.dev/internals: offsets lead forward, so that tables make no
        cycle, though several places may lead to the same one.
    """

    content: bytes
    at: int

    @classmethod
    def root(cls, content: bytes) -> FlatTable:
        """The table that a flatbuffer starts with."""
        return cls(content, _read("<I", content, 0))

    def field(self, slot: int) -> int:
        """Where a field lies, or 0 where the table has none."""
        slots = self.at - _read("<i", self.content, self.at)
        if slot >= _read("<H", self.content, slots):
            return 0
        offset = _read("<H", self.content, slots + slot)
        return self.at + offset if offset else 0

    def number(self, slot: int, form: str, default: int = 0) -> int:
        """A number, in `struct`'s notation; ``default`` where it is absent."""
        place = self.field(slot)
        return _read(form, self.content, place) if place else default

    def vector(self, slot: int, width: int) -> tuple[int, int]:
        """Where the items of a list start, each ``width`` bytes, and how many there are."""
        place = self.field(slot)
        if not place:
            return 0, 0
        start = place + _read("<I", self.content, place)
        count = _read("<I", self.content, start)
        if start + 4 + count * width > len(self.content):
            raise ValueError("a list that is longer than the program")
        return start + 4, count

    def length(self, slot: int) -> int:
        """How many items a list has, whatever they are."""
        return self.vector(slot, 1)[1]

    def bytes(self, slot: int) -> bytes:
        """A list of bytes."""
        start, count = self.vector(slot, 1)
        return self.content[start : start + count]

    def table(self, slot: int) -> FlatTable | None:
        """A table in this one."""
        place = self.field(slot)
        return FlatTable(self.content, place + _read("<I", self.content, place)) if place else None

    def tables(self, slot: int) -> Iterator[FlatTable]:
        """The tables of a list."""
        return (FlatTable(self.content, place) for place in self._places(slot))

    def texts(self, slot: int) -> Iterator[str]:
        """The strings of a list."""
        for place in self._places(slot):
            count = _read("<I", self.content, place)
            text = self.content[place + 4 : place + 4 + count]
            if len(text) < count:
                raise ValueError("a text that is longer than the program")
            yield text.decode()

    def _places(self, slot: int) -> Iterator[int]:
        start, count = self.vector(slot, 4)
        return (place + _read("<I", self.content, place) for place in range(start, start + 4 * count, 4))


def _read(form: str, content: bytes, at: int) -> int:
    if at < 0 or at + struct.calcsize(form) > len(content):
        raise ValueError("a place outside the program")
    number: int = struct.unpack_from(form, content, at)[0]
    return number
