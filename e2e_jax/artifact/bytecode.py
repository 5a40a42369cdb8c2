"""The names in a compiled program, read off its bytes without the compiler's own parser."""

from __future__ import annotations

from typing import NamedTuple

MAGIC = b"ML\xefR"
STRINGS, DIALECTS, ATTRIBUTES, OFFSETS, PROPERTIES = 0, 1, 2, 3, 8  # numbers of sections
ALIGNED = 0x80  # bit of a section's number: its alignment follows
SECTIONS = 16  # at most; the format has nine

# VHLO, the stable form of StableHLO, as its release 1.18 writes it: VhloBytecode.cpp and VhloOps.td.
TEXT = 14  # number of a string among its attributes
TARGET, CALL_PROPERTIES = 2, 8  # which property of a custom call is its target, and how many it has at least


class Names(NamedTuple):
    """What a program calls things.

    Args:
        dialects: Whose operations it uses.
        operations: Each as ``dialect.operation``, with the version it has in the file.
        strings: Everything named anywhere: functions, labels, custom calls.
        targets: What custom calls can call.
    """

    dialects: frozenset[str]
    operations: frozenset[str]
    strings: frozenset[str]
    targets: frozenset[str]


class _Reader:
    """Reads MLIR's numbers and parts from bytes; beyond their end is an error."""

    def __init__(self, content: bytes) -> None:
        self.content, self.at = content, 0

    def take(self, count: int) -> bytes:
        part = self.content[self.at : self.at + count]
        if count < 0 or len(part) < count:
            raise ValueError("a program that ends too early")
        self.at += count
        return part

    def number(self) -> int:
        """A little-endian number; how many zeros its first byte ends in is how many bytes follow."""
        first = self.take(1)[0]
        following = (first & -first).bit_length() - 1 if first else 8
        whole = int.from_bytes(bytes([first]) + self.take(following), "little")
        return whole >> (following + 1) if first else whole >> 8

    def section(self) -> tuple[int, bytes]:
        kind, length = self.take(1)[0], self.number()
        if kind & ALIGNED:
            self.at += -self.at % max(self.number(), 1)
        return kind & ~ALIGNED, self.take(length)

    @property
    def ended(self) -> bool:
        return self.at >= len(self.content)


def names(content: bytes) -> Names:
    """The names in a program: all that its operations can be, whatever the rest of the bytes says.

    Args:
        content: MLIR bytecode, as a portable StableHLO artifact is.

    Raises:
        ValueError: It is none.

    Source:
        MLIR Bytecode Format, https://mlir.llvm.org/docs/BytecodeFormat, read 2026-11: sections 0 to 3 and 8.
    """
    reader = _Reader(content)
    if reader.take(len(MAGIC)) != MAGIC:
        raise ValueError("a program that is no MLIR bytecode")
    reader.number()  # its version
    while reader.take(1) != b"\0":
        pass  # its producer, a text that ends in a zero byte
    sections: dict[int, bytes] = {}
    while not reader.ended and len(sections) < SECTIONS:
        kind, part = reader.section()
        if kind in sections:
            raise ValueError("a program with doubled sections")
        sections[kind] = part
    strings = _strings(_Reader(sections.get(STRINGS, b"")))
    dialects, operations = _dialects(_Reader(sections.get(DIALECTS, b"")), strings)
    targets = _targets(sections, dialects, strings)
    return Names(frozenset(dialects), frozenset(operations), frozenset(strings), frozenset(targets))


def _strings(reader: _Reader) -> list[str]:
    """Their lengths stand first, the last string's in front; each ends in a zero byte."""
    count = reader.number()
    if count > len(reader.content):
        raise ValueError("a program that ends too early")
    lengths = [reader.number() for _ in range(count)][::-1]
    return [reader.take(length)[:-1].decode("utf-8", "replace") for length in lengths]


def _dialects(reader: _Reader, strings: list[str]) -> tuple[list[str], list[str]]:
    dialects = [_dialect(reader, strings) for _ in range(_count(reader))]
    operations: list[str] = []
    if not reader.ended:
        reader.number()  # how many operations
    while not reader.ended:
        dialect = _of(dialects, reader.number())
        operations += [f"{dialect}.{_of(strings, reader.number() >> 1)}" for _ in range(_count(reader))]
    return dialects, operations


def _dialect(reader: _Reader, strings: list[str]) -> str:
    named = reader.number()
    if named & 1:
        reader.section()  # its version
    return _of(strings, named >> 1)


def _targets(sections: dict[int, bytes], dialects: list[str], strings: list[str]) -> set[str]:
    """Texts that stand where the properties of a custom call have its target; no other operation has one there."""
    texts = _texts(_Reader(sections.get(ATTRIBUTES, b"")), _Reader(sections.get(OFFSETS, b"")), dialects)
    reader, found = _Reader(sections.get(PROPERTIES, b"")), set()
    for _ in range(0 if reader.ended else _count(reader)):
        properties = _numbers(_Reader(reader.take(reader.number())), CALL_PROPERTIES)
        if len(properties) == CALL_PROPERTIES and properties[TARGET] in texts:
            found.add(_of(strings, texts[properties[TARGET]]))
    return found


def _texts(attributes: _Reader, offsets: _Reader, dialects: list[str]) -> dict[int, int]:
    """Number of each attribute that is a text of VHLO, and of the string it holds."""
    found: dict[int, int] = {}
    count = 0 if offsets.ended else offsets.number()
    if count:
        offsets.number()  # how many types, which come after
    number = 0
    while number < count:
        dialect = _of(dialects, offsets.number())
        for _ in range(_count(offsets)):
            encoding = _numbers(_Reader(attributes.take(offsets.number() >> 1)), 2)
            if dialect == "vhlo" and len(encoding) == 2 and encoding[0] == TEXT:
                found[number] = encoding[1]
            number += 1
    return found


def _numbers(reader: _Reader, most: int) -> list[int]:
    """The first numbers of some bytes, as many as can be read."""
    found: list[int] = []
    try:
        while len(found) < most and not reader.ended:
            found.append(reader.number())
    except ValueError:  # cut off: what came before counts
        return found
    return found


def _count(reader: _Reader) -> int:
    count = reader.number()
    if count > len(reader.content):
        raise ValueError("a program that ends too early")
    return count


def _of(names: list[str], index: int) -> str:
    if index >= len(names):
        raise ValueError("a program with a name that is not there")
    return names[index]
