"""A process that loads one damaged artifact after another and tells what came of each; and how they are damaged.

``python tests/artifact/fuzzing.py ARTIFACT OTHER SEED ROUND STEP LAST`` loads round ROUND, then ROUND + STEP, and
so on below LAST, and prints a line of JSON before and after each. Each round draws from its own seed: any can be
repeated alone.
"""

from __future__ import annotations

import faulthandler
import json
import random
import resource
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

import e2e_jax as e2e
from e2e_jax.artifact import archive

ROOM = 512 << 20  # bytes a load may take beside what the process has
SECONDS = 10  # of computing; the time on the clock is the test's to watch, and a busy machine's to waste
CEILING = 3 << 30  # bytes of addresses beside what it has, after which the system says no
PHOTO = (np.indices((24, 30)).sum(0)[..., None] * [3, 4, 5]).astype(np.uint8)  # (24, 30, 3)
ODD = [
    *(
        0,
        1,
        -1,
        7,
        255,
        2**31 - 1,
        2**31,
        2**32,
        2**63,
        10**18,
        10**40,
        0.5,
        -0.0,
        1e300,
        float("inf"),
        float("nan"),
    ),
    *("", "x", "b", "../x", "a/b", "\0", "é", "x" * 5000, None, True, [], {}, [[]], {"type": "Compose"}),
]

type Members = dict[str, bytes]


class Original:
    """What is damaged, and the members of another artifact to mix in."""

    def __init__(self, path: Path, other: Path) -> None:
        self.content = path.read_bytes()
        with zipfile.ZipFile(path) as file:
            self.directory = file.start_dir
        self.members, self.others = archive.read(path), archive.read(other)


def damage(original: Original, rng: random.Random, target: Path) -> str:
    """Writes a damaged copy; returns how."""
    kind = rng.choices(list(KINDS), [weight for _, weight in KINDS.values()])[0]
    how = KINDS[kind][0](original, rng, target)
    return f"{kind}: {how}" if how else kind


def flip(content: bytes, rng: random.Random, start: int = 0) -> bytes:
    """A few bits turned, at places of their own or side by side."""
    changed = bytearray(content)
    first = rng.randrange(start, len(changed)) if len(changed) > start else 0
    for _ in range(rng.choice([1, 1, 1, 2, 8]) if changed else 0):
        at = first if rng.random() < 0.5 else rng.randrange(start, len(changed))
        changed[min(at + rng.randrange(4), len(changed) - 1)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def splice(content: bytes, rng: random.Random) -> bytes:
    """A part cut out, doubled, zeroed, filled with ones, moved, or set to a number."""
    a, b = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    b = min(b, a + rng.choice([1, 4, 64, 10**6]))
    part = content[a:b]
    new = rng.choice([
        b"", part * 2, bytes(len(part)), b"\xff" * len(part), part[::-1], rng.randbytes(len(part)),
        rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1]).to_bytes(4, "little"), (2**64 - 1).to_bytes(8, "little"),
    ])  # fmt: skip
    return content[:a] + new + content[b:]


def raw_flip(original: Original, rng: random.Random, target: Path) -> None:
    """Half of them in the zip's own records, where reading is tricky."""
    start = rng.choice([0, original.directory, original.content.rindex(b"PK\1\2")])
    target.write_bytes(flip(original.content, rng, start))


def raw_splice(original: Original, rng: random.Random, target: Path) -> None:
    target.write_bytes(splice(original.content, rng))


def truncated(original: Original, rng: random.Random, target: Path) -> None:
    target.write_bytes(original.content[: rng.randrange(len(original.content))])


def swapped(original: Original, rng: random.Random, target: Path) -> str:
    """Two members in each other's place, one left out, doubled, renamed, added or replaced; hashes as they were."""
    entries = list(original.members.items())
    a, b = rng.sample(range(len(entries)), 2)
    (name, data), (other, instead) = entries[a], entries[b]
    how = rng.choice(["swap", "drop", "double", "rename", "add", "foreign", "flip"])
    if how == "swap":
        entries[a], entries[b] = (name, instead), (other, data)
    elif how == "drop":
        del entries[a]
    elif how == "double":
        entries.append((name, instead))
    elif how == "rename":
        entries[a] = (
            rng.choice(["../x", "/x", "a\\b", name + "/x", name.upper(), "é", "x" * 300, "C:x", ""]),
            data,
        )
    elif how == "add":
        entries.append((rng.choice(["x", "params/x", "programs/x.jax", "../x"]), data))
    elif how == "foreign":
        entries[a] = (name, rng.choice(list(original.others.values())))
    else:
        entries[a] = (name, flip(data, rng) if rng.random() < 0.5 else splice(data, rng))
    put(target, entries, rng)
    return f"{how} {name}"


def put(target: Path, entries: list[tuple[str, bytes]], rng: random.Random) -> None:
    """As a zip, whatever the names; every fourth time as a folder, where the names allow it."""
    names = [name for name, _ in entries]
    if rng.random() < 0.25 and archive.wrong_names(names) is None:
        return archive.write(target, dict(entries), directory=True)
    with warnings.catch_warnings(action="ignore", category=UserWarning), zipfile.ZipFile(target, "w") as file:
        for name, data in entries:
            info = zipfile.ZipInfo(name)
            info.filename = name
            if rng.random() < 0.01:
                info.external_attr = rng.choice([0o120777, 0o040755, 0o010644]) << 16
            file.writestr(info, data, rng.choices([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], [199, 1])[0])
    return None


def rehashed(members: Members, target: Path, rng: random.Random, change: Any = None) -> None:
    """Members with a manifest that has the right hash of each, changed afterwards where asked for."""
    content = {name: data for name, data in members.items() if name != archive.MANIFEST}
    fields = json.loads(members[archive.MANIFEST])
    fields["members"] = {name: archive.digest(data) for name, data in content.items()}
    if change is not None:
        change(fields)
    put(target, [(archive.MANIFEST, json.dumps(fields).encode()), *content.items()], rng)


def inside(prefix: str) -> Any:
    """Bytes changed inside a member of one sort, all hashes made right."""

    def change(original: Original, rng: random.Random, target: Path) -> str:
        name = rng.choice([name for name in original.members if name.startswith(prefix)])
        data, foreign = original.members[name], [n for n in original.others if n.startswith(prefix)]
        how = rng.choices(["flip", "splice", "cut", "foreign", "empty"], [10, 6, 2, 2, 0.5])[0]
        if how == "flip":
            data = flip(data, rng)
        elif how == "splice":
            data = splice(data, rng)
        elif how == "cut":
            data = data[: rng.randrange(len(data) + 1)]
        elif how == "foreign":
            data = original.others[rng.choice(foreign)]
        else:
            data = b""
        rehashed(original.members | {name: data}, target, rng)
        return f"{how} {name}"

    return change


def places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place] * bool(place) + [inner for key, item in items for inner in places(item, (*place, key))]


def manifest(original: Original, rng: random.Random, target: Path) -> str:
    """A few fields replaced, removed, doubled or exchanged; half of the time hashes are left alone."""
    told: list[str] = []

    def change(fields: dict[str, Any]) -> None:
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            known = [p for p in places(fields) if p[0] != "members" or rng.random() < 0.1]
            *outer, last = rng.choice(known)
            table: Any = fields
            for key in outer:
                table = table[key]
            how = rng.choice(["odd", "odd", "remove", "add", "other", "more"])
            told.append(f"{how} {'.'.join(map(str, [*outer, last]))}")
            if how == "remove":
                del table[last]
            elif how == "add" and isinstance(table, dict):
                table[rng.choice(["x", "type", "", "dense", "0"])] = rng.choice(ODD)
            elif how == "more" and isinstance(table, list):
                table.extend(table * rng.choice([1, 1, 300]))
            elif how == "other":
                source = rng.choice(known)
                found: Any = fields
                for key in source:
                    found = found.get(key) if isinstance(found, dict) else None
                table[last] = json.loads(json.dumps(found))
            else:
                table[last] = rng.choice(ODD)

    rehashed(original.members, target, rng, change)
    return ", ".join(told)


def manifest_bytes(original: Original, rng: random.Random, target: Path) -> None:
    """The text of the manifest changed, so that it may be no JSON at all."""
    data = original.members[archive.MANIFEST]
    changed = flip(data, rng) if rng.random() < 0.5 else splice(data, rng)
    put(target, [(archive.MANIFEST, changed), *list(original.members.items())[1:]], rng)


#: Sort of damage to what does it, and how often among the others.
KINDS: dict[str, tuple[Any, float]] = {
    "raw flip": (raw_flip, 20),
    "raw splice": (raw_splice, 12),
    "truncated": (truncated, 6),
    "members": (swapped, 14),
    "manifest": (manifest, 22),
    "manifest bytes": (manifest_bytes, 6),
    "programs inside": (inside("programs/"), 8),
    "params inside": (inside("params/"), 8),
    "samples inside": (inside("samples/"), 4),
}
UNHASHED = ("raw", "truncated", "members")  # damage after which a load that succeeds must give the same members


def outcome(path: Path, original: Original, how: str) -> str:
    """What came of loading: ``refused``, ``same`` or ``answered``; anything else is a fault."""
    try:
        predictor = e2e.load(path)
        if archive.read(path) == original.members:
            return "same"
        if how.startswith(UNHASHED):
            return "fault: it was loaded with other members than it was written with"
        repr((predictor, predictor.predict(PHOTO)))
        if "inverse" in how:
            predictor.inverse(np.zeros((1, 2), np.float32), size=(24, 30))
        elif "dense" in how:
            predictor.predict(PHOTO[None])
        else:
            predictor.replay()
    except e2e.ArtifactError as error:
        return "refused" if len(str(error).splitlines()) == 3 else f"fault: not three lines: {error}"
    except Exception as error:
        return f"fault: {type(error).__name__}: {error}\n{traceback.format_exc()}"
    return "answered"


def memory(field: str) -> int:
    """Of this process, in bytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith(field))


def peak_reset() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def main(path: str, other: str, *numbers: str) -> None:
    faulthandler.enable()
    seed, first, step, last = map(int, numbers)
    original = Original(Path(path), Path(other))
    e2e.load(path).replay()
    e2e.load(path).predict(PHOTO)
    ceiling = memory("VmSize") + CEILING
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    for number in range(first, last, step):
        rng = random.Random(f"{seed}/{number}")
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder, "x.e2e")
            how = damage(original, rng, target)
            print(json.dumps({"round": number, "how": how}), flush=True)
            peak_reset()
            before, start = memory("VmRSS"), time.process_time()
            what = outcome(target, original, how)
            extra = memory("VmHWM") - before
        seconds = round(time.process_time() - start, 3)
        if extra > ROOM or seconds > SECONDS:
            what = f"fault: {extra >> 20} MB, {seconds} s; {what}"
        print(json.dumps({"round": number, "what": what, "extra": extra, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
