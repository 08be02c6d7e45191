"""Executes the runs of a comparison in several processes; they share nothing."""

from __future__ import annotations

import gc
import signal
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path

from archsim.errors import ArchsimError, SimulationError
from archsim.reproduce.runs import Answers, Run
from archsim.results.record import Result

Done = Callable[[int, int], None]
"""Is told after each run: how many are over, and how many there are."""


def execute(folder: Path, runs: Sequence[Run], jobs: int, done: Done = lambda over, total: None) -> Answers:
    """What comes of the runs; those with most tokens are begun first, equal ones executed once.

    Args: folder: of the presets; jobs: processes, 1: this one.
    Raises: ArchsimError: when a preset is broken, or a process dies; KeyboardInterrupt: after Ctrl-C. The
        processes are over in any case.
    """
    waiting = deque(sorted(dict.fromkeys(runs), key=lambda run: (-run.tokens, not run.stream)))
    total = len(waiting)
    found: dict[Run, Result | str] = {}
    if jobs == 1 or total == 1:
        for run in waiting:
            found[run] = run.execute(folder)
            done(len(found), total)
        return Answers(folder, found)
    members = [_Member(folder) for _ in range(min(jobs, total))]
    try:
        for member in members:
            member.give(waiting.popleft())
        while len(found) < total:
            for member in _that_answered(members):
                run, answer = member.take()
                found[run] = answer
                done(len(found), total)
                if waiting:
                    member.give(waiting.popleft())
    finally:
        for member in members:
            member.end()
    return Answers(folder, found)


class _Member:
    """A process that executes the runs that it is given, seen from here."""

    def __init__(self, folder: Path) -> None:
        context = get_context("spawn")  # a fork would take over threads
        self.link, theirs = context.Pipe()
        self.run: Run | None = None
        self._process = context.Process(target=_serve, args=(folder, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def give(self, run: Run) -> None:
        """Let it execute a run; when it has died, that shows where its answer is taken."""
        self.run = run
        with suppress(OSError):
            self.link.send(run)

    def take(self) -> tuple[Run, Result | str]:
        """The run that it had, with what came of it.

        Raises: ArchsimError: what the run raised; SimulationError: when the process has died.
        """
        run, self.run = self.run, None
        assert run is not None, "only members at work answer"
        try:
            answer: Result | str | ArchsimError = self.link.recv()
        except (EOFError, OSError):
            self._process.join()
            raise SimulationError(
                f"the process that ran {run.preset} on {run.model}, {run.tokens} tokens, ended with status "
                f"{self._process.exitcode}; -9 often means too little memory: try --jobs 1"
            ) from None
        if isinstance(answer, ArchsimError):
            raise answer
        return run, answer

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.join()
        self.link.close()


def _that_answered(members: Sequence[_Member]) -> list[_Member]:
    busy = {member.link: member for member in members if member.run is not None}
    return [busy[link] for link in wait(list(busy)) if isinstance(link, Connection)]


def _serve(folder: Path, link: Connection) -> None:
    """The process: executes runs until nobody sends any more; Ctrl-C is the caller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(200_000)
    with suppress(EOFError, ConnectionError):
        while True:
            run: Run = link.recv()
            try:
                link.send(run.execute(folder))
            except ArchsimError as error:
                link.send(error)
