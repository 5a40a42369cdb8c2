"""A process that writes artifacts, for tests that kill it or let two of them compete.

``python tests/artifact/writing.py`` prints ``ready`` once everything is imported and does what it reads from
standard input, one line of JSON each, telling of it in a line: ``{"what": "write", "path": …, "number": 5}``
writes `members` 5 there, ``folder`` likewise as a folder, ``export`` a tiny model with the number for its name,
and ``refresh`` writes the artifact there anew. With ``after`` another process writes, which is killed so many
seconds later; with ``seconds`` it is done over and over.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import e2e_jax as e2e
from e2e_jax import transforms as T
from e2e_jax.artifact import archive

SIZE = 200_000  # bytes of one member: some writes of the system


def members(number: int) -> dict[str, bytes]:
    """An artifact in which all members tell their number."""
    return {"manifest.json": b"%d" % number} | {f"params/{i}": bytes([number]) * SIZE for i in range(5)}


def whole(content: dict[str, bytes]) -> int:
    """The number that all members tell; they must agree."""
    number = int(content["manifest.json"])
    assert content == members(number)
    return number


def work(what: str, path: str, number: int) -> Callable[[], Any]:
    if what in ("write", "folder"):
        return lambda: archive.write(Path(path), members(number), directory=what == "folder")
    if what == "refresh":
        return lambda: e2e.refresh(path, progress=False)
    model = e2e.EndToEnd(T.Compose([T.ToTensor()]), (lambda p, x: x.mean((1, 2)) @ p, np.eye(3, dtype=np.float32)))
    return lambda: e2e.export(model, path, name=str(number), progress=False, lower=False)


def killed(done: Callable[[], Any], after: float) -> str:
    """Has a copy of this process work, and kills it."""
    child = os.fork()
    if not child:
        try:
            done()
            os._exit(0)
        finally:
            os._exit(1)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    return {signal.SIGKILL: "killed", 0: "done"}.get(os.waitpid(child, 0)[1], "died")


def killed_while_writing(done: Callable[[], Any], after: float) -> str:
    """The same, but that only the writing happens in the copy: XLA's threads do not live in it."""
    write, endings = archive.write, []

    def in_a_copy(*arguments: Any, **options: Any) -> None:
        endings.append(killed(lambda: write(*arguments, **options), after))

    with mock.patch.object(archive, "write", in_a_copy):
        done()
    return str(endings[0])


def repeated(done: Callable[[], Any], seconds: float) -> str:
    end, times, refused = time.monotonic() + seconds, 0, 0
    while not times or time.monotonic() < end:
        times += 1
        try:
            done()
        except e2e.ArtifactError:
            refused += 1
    return json.dumps({"times": times, "refused": refused})


def main() -> None:
    warnings.simplefilter("ignore")  # of forking a process with threads: nothing has run on them yet
    print("ready", flush=True)
    for line in sys.stdin:
        told = json.loads(line)
        done = work(told["what"], told["path"], told["number"])
        if "after" in told:
            print(killed_while_writing(done, told["after"]), flush=True)
        else:
            print(repeated(done, told["seconds"]), flush=True)


if __name__ == "__main__":
    main()
