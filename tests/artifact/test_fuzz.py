"""Thousands of damaged artifacts: each is refused, or answers; none raises, hangs, crashes or takes 512 MB more.

What was damaged without its hash is refused, or is the artifact it was. Where hashes were made right, the bytes are
an artifact of another author, which may compute anything: it must say so in an `ArtifactError` or give typed
answers. That nobody passes another's artifact off as yours is what signatures are for.
"""

import collections
import json
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path

import pytest
from model_fixtures import tiny_model

import e2e_jax as e2e

SEED = 2026
WORKERS = 2
SECONDS = 60  # on the clock, after which a load hangs; of computing time it has 10, see fuzzing.py
START = 120  # seconds until a worker is ready, on a busy machine
OTHER = Path(__file__).parents[1] / "golden/artifacts/format1.e2e"
FUZZING = Path(__file__).parent / "fuzzing.py"


class Worker:
    """A process for every `WORKERS`-th round, started again after a round that it did not survive."""

    def __init__(self, artifact, first, last, errors):
        self.artifact, self.next, self.last = artifact, first, last
        self.errors, self.process, self.how = errors, None, "starting"
        self.found, self.deadline = [], 0.0
        self.start()

    def start(self):
        numbers = [str(n) for n in (SEED, self.next, WORKERS, self.last)]
        command = [sys.executable, str(FUZZING), str(self.artifact), str(OTHER), *numbers]
        here = os.pathsep.join([str(FUZZING.parents[2]), os.environ.get("PYTHONPATH", "")])
        environment = os.environ | {"PYTHONPATH": here, "JAX_PLATFORMS": "cpu"}
        self.log = self.errors.open("w")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, env=environment)
        self.deadline = time.monotonic() + START

    def heard(self, line):
        told = json.loads(line)
        if "how" in told:
            self.how, self.deadline = told["how"], time.monotonic() + SECONDS
        else:
            self.found.append((told["round"], self.how, told["what"]))
            self.next, self.deadline = told["round"] + WORKERS, time.monotonic() + START

    def lost(self, why):
        """The round that runs is a fault; the next one starts in a new process."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
        said = self.errors.read_text()[-3000:]
        self.found.append((self.next, self.how, f"fault: {why} (exit code {self.process.returncode})\n{said}"))
        self.next += WORKERS

    @property
    def done(self):
        return self.next >= self.last


def run(artifact, rounds, folder):
    """What came of each round: number, damage, outcome."""
    workers = [Worker(artifact, first, rounds, folder / f"{first}.txt") for first in range(WORKERS)]
    with selectors.DefaultSelector() as selector:
        for worker in workers:
            selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
        while selector.get_map():
            lines = [(key.data, key.fileobj.readline()) for key, _ in selector.select(timeout=1)]
            for worker, line in lines:
                worker.heard(line) if line else restarted(selector, worker, "it died")
            for worker in [key.data for key in selector.get_map().values()]:
                if time.monotonic() > worker.deadline:
                    restarted(selector, worker, f"no answer within {SECONDS} s")
    return [found for worker in workers for found in worker.found]


def restarted(selector, worker, why):
    selector.unregister(worker.process.stdout)
    if worker.done:
        worker.process.stdout.close()
        assert worker.process.wait(START) == 0
        return worker.log.close()
    worker.lost(why)
    if not worker.done:
        worker.start()
        selector.register(worker.process.stdout, selectors.EVENT_READ, worker)
    return None


def test_damaged_artifacts_are_refused_or_answer(tmp_path, request):
    rounds = request.config.getoption("--fuzz-rounds")
    artifact = e2e.export(tiny_model(), tmp_path / "tiny.e2e", progress=False)
    found = run(artifact, rounds, tmp_path)
    assert sorted(number for number, *_ in found) == list(range(rounds))
    faults = [(number, how, what) for number, how, what in found if what.startswith("fault")]
    if faults:
        number, how, what = min(faults)
        kept = f"e2e.export(tiny_model(), {str(artifact)!r})"
        again = f"python tests/artifact/fuzzing.py {artifact} {OTHER} {SEED} {number} 1 {number + 1}"
        pytest.fail(f"{len(faults)} faults, the first in round {number} ({how}):\n{what}\n{kept}\nagain: {again}")
    outcomes = collections.Counter(what for *_, what in found)
    assert outcomes["refused"] > rounds / 2
    assert rounds < 200 or min(outcomes["same"], outcomes["answered"]) > 0  # some damage does no harm
