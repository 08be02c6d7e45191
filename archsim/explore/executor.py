"""Runs the points of a sweep in several processes and records each as soon as it is there.

This process alone writes to the store. A worker that dies is replaced, and its point tried once more.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from pickle import UnpicklingError
from types import FrameType
from typing import Any

import archsim.explore
from archsim.errors import SimulationError
from archsim.explore.evaluate import failed
from archsim.explore.store import Outcome, Status, Store
from archsim.explore.subject import Subject
from archsim.explore.worker import Answer

_PATIENCE_S = 0.2
_ATTEMPTS = 2
_AHEAD_S = 1.0
"""A worker that takes less time for a point has the next one before it is done with it."""
_ALLOCATION = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(128 << 20)}
"""For glibc: memory that a point gives back is kept for the next one, which would page it in again."""

_MAIN = "from archsim.explore.worker import main; main()"


@dataclass(frozen=True, slots=True)
class Point:
    """One design to simulate; ``request`` is the digest under which it is asked for."""

    number: int
    settings: Mapping[str, Any]
    request: bytes


@dataclass(slots=True)
class Progress:
    """How far a sweep has come.

    Args: total: points; found: those that the store had; simulated: those that it had not; counts: points by
        status; started_s: on the monotonic clock, when a worker was ready, so that rates leave that out.
    """

    total: int
    found: int = 0
    simulated: int = 0
    counts: dict[Status, int] = field(default_factory=lambda: {"ok": 0, "infeasible": 0, "failed": 0})
    started_s: float = field(default_factory=time.monotonic)

    @property
    def done(self) -> int:
        """Points that are over."""
        return sum(self.counts.values())

    @property
    def rate_per_s(self) -> float:
        """Points a second of those that were simulated now."""
        return self.simulated / max(1e-9, time.monotonic() - self.started_s)


Tell = Callable[[Progress, Outcome | None], None]
"""Is told after each point, and a few times a second in between: the progress, and what came last."""


class Executor:
    """One sweep while it runs."""

    def __init__(self, subject: Subject, store: Store, progress: Progress, tell: Tell) -> None:
        self._subject = subject
        self._store = store
        self._progress = progress
        self._tell = tell
        self._again: deque[Point] = deque()
        self._deaths: dict[int, int] = {}
        self._workers: list[_Worker] = []

    def run(self, runs: Iterator[Sequence[Point]], jobs: int) -> None:
        """Simulate the points that the store does not have.

        Args: runs: points in runs that share their graph; jobs: worker processes.
        Raises: KeyboardInterrupt: after Ctrl-C, with everything that was finished in the store;
            SimulationError: when no worker can be started.
        """
        with _late_interrupt() as interrupted:
            try:
                self._workers += [_Worker(self._subject, self._store.path) for _ in range(jobs)]
                while not interrupted():
                    for worker in self._workers:
                        self._feed(worker, runs)
                    busy = [worker for worker in self._workers if worker.busy]
                    if not busy:
                        return
                    self._listen(busy, _PATIENCE_S)
                self._listen([worker for worker in self._workers if worker.busy], 0)
            finally:
                for worker in self._workers:
                    worker.stop()
        raise KeyboardInterrupt

    def _feed(self, worker: _Worker, runs: Iterator[Sequence[Point]]) -> None:
        """Give a worker its next point when it wants one."""
        while worker.wants_more and (point := self._next(worker, runs)) is not None:
            worker.give(point)

    def _next(self, worker: _Worker, runs: Iterator[Sequence[Point]]) -> Point | None:
        """The next point for a worker that the store does not have; None when there is none left."""
        while True:
            if self._again:
                return self._again.popleft()
            if not worker.run:
                worker.run.extend(next(runs, ()))
            if not worker.run:
                return None
            point = worker.run.popleft()
            found = self._store.find(point.request)
            if found is None or found[1] == "failed":
                return point
            self._count(found[1], None)
            self._progress.found += 1

    def _listen(self, busy: Sequence[_Worker], timeout_s: float) -> None:
        """Record what workers have to say."""
        ready = wait([worker.link for worker in busy], timeout_s)
        for worker in busy:
            if worker.link in ready:
                try:
                    answer = worker.link.recv()
                except (EOFError, OSError, UnpicklingError):
                    self._bury(worker)
                else:
                    self._take(worker, answer)
        if not ready:
            self._tell(self._progress, None)

    def _take(self, worker: _Worker, answer: Answer | None) -> None:
        """One message: that the worker has started, or its answer."""
        if answer is None:
            worker.ready = True
            if not self._progress.simulated:
                self._progress.started_s = time.monotonic()
            return
        point = worker.take_back()
        assert point.number == answer.point, "workers answer in turn"
        self._progress.simulated += answer.outcome is not None
        if answer.outcome is None:
            self._store.refer(point.request, point.settings, answer.key)
            self._progress.found += 1
            found = self._store.find(point.request)
            self._count(found[1] if found else "failed", None)
        else:
            self._store.record(point.request, point.settings, answer.outcome)
            self._count(answer.outcome.status, answer.outcome)

    def _bury(self, worker: _Worker) -> None:
        """Replace a worker that has died; its point is tried once more, then it counts as failed."""
        status = worker.end()
        if status >= 0 and not worker.ready:
            raise SimulationError(f"a worker process ended with status {status} before it could start")
        point = worker.points.popleft()
        worker.run.extendleft(reversed(worker.points))
        self._deaths[point.number] = self._deaths.get(point.number, 0) + 1
        if self._deaths[point.number] < _ATTEMPTS:
            self._again.append(point)
        else:
            cause = signal.Signals(-status).name if status < 0 else f"status {status}"
            reason = (
                f"its process died {_ATTEMPTS} times, with {cause}; SIGKILL often means too little memory"
            )
            outcome = failed(self._subject, point.settings, reason)
            self._store.record(point.request, point.settings, outcome)
            self._count("failed", outcome)
        fresh = _Worker(self._subject, self._store.path)
        fresh.run.extend(worker.run)
        self._workers[self._workers.index(worker)] = fresh

    def _count(self, status: Status, outcome: Outcome | None) -> None:
        self._progress.counts[status] += 1
        self._tell(self._progress, outcome)


class _Worker:
    """A worker process, seen from here; it starts when it is given its first point.

    ``points`` are what it is at work on, and the next one perhaps; ``run`` what it is to do then; ``ready``
    once it has started up.
    """

    def __init__(self, subject: Subject, store_file: str) -> None:
        self._subject = subject
        self._store_file = store_file
        self._process: subprocess.Popen[bytes] | None = None
        self.ready = False
        self.points: deque[Point] = deque()
        self.run: deque[Point] = deque()
        self._began_s = time.monotonic()
        self._quick = False

    @property
    def busy(self) -> bool:
        """Whether it has yet to say something."""
        return bool(self.points)

    @property
    def wants_more(self) -> bool:
        """Whether it has nothing to do, or soon will."""
        return len(self.points) <= self._quick

    def take_back(self) -> Point:
        """The point that it has answered."""
        now_s = time.monotonic()
        self._quick = now_s - self._began_s < _AHEAD_S
        self._began_s = now_s
        return self.points.popleft()

    def give(self, point: Point) -> None:
        """Let it simulate a point; when it has died, that shows where its answer is awaited."""
        if not self.points:
            self._began_s = time.monotonic()
        self.points.append(point)
        with suppress(OSError):
            if self._process is None:
                self._start()
            self.link.send((point.number, point.settings))

    def stop(self) -> None:
        """End the process, whatever it is doing: it keeps nothing."""
        if self._process is not None:
            self._process.kill()
            self.end()

    def end(self) -> int:
        """Wait until the process is over, which it is about to be. Returns: its status."""
        assert self._process is not None, "only a process that was started can end"
        self.link.close()
        return self._process.wait()

    def _start(self) -> None:
        """Start the process, and tell it what the sweep is about."""
        ours, theirs = socket.socketpair()
        self.link = Connection(ours.detach())
        with theirs:
            words = [sys.executable, "-P", "-c", _MAIN, str(theirs.fileno()), self._store_file]
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=_environment(),
            )
        self.link.send(self._subject)


def _environment() -> dict[str, str]:
    """The environment of a worker: it finds this archsim, keeps memory, and numerical libraries start no
    threads."""
    home = str(Path(archsim.explore.__file__).parents[2])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **_ALLOCATION,
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    }


@contextmanager
def _late_interrupt() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C wait until what is being recorded is recorded; a second one does not wait.

    Yields: whether it has come.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGINT, note)
    except ValueError:  # only the main thread may: in others nobody interrupts
        yield lambda: False
        return
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGINT, before)
