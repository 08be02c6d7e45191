"""A worker: a process that simulates the points that it is sent until nobody sends any more.

It is started as an interpreter of its own, not by ``multiprocessing``: that would run the caller's script
again, and a fork would take over the threads and the open store of the caller. When the caller dies, its end
of the socket closes, and the worker ends too.
"""

from __future__ import annotations

import contextlib
import gc
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from archsim.explore.evaluate import Evaluator, failed
from archsim.explore.store import Outcome, open_store
from archsim.explore.subject import Subject


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says about a point.

    Args: outcome: None where the store has the point already, under ``key``.
    """

    point: int
    key: bytes
    outcome: Outcome | None


def serve(link: Connection, store_file: str) -> None:
    """Answer points until the other end of ``link`` closes.

    The first message is the subject; each further one is a point's number and its settings.
    """
    subject: Subject = link.recv()
    evaluator = Evaluator(subject)
    with open_store(store_file) as store:
        last = b""

        def known(key: bytes) -> bool:
            # the point before may not have been recorded yet
            return key == last or store.has(key)

        link.send(None)
        while True:
            point, settings = link.recv()
            answer = _answer(evaluator, point, settings, known)
            last = answer.key
            link.send(answer)


def _answer(
    evaluator: Evaluator, point: int, settings: Mapping[str, Any], known: Callable[[bytes], bool]
) -> Answer:
    try:
        outcome = evaluator.evaluate(settings, known)
    except Exception as error:  # a bug at one point must not end the sweep of the others
        outcome = failed(evaluator.subject, settings, f"internal error: {type(error).__name__}: {error}")
    if isinstance(outcome, bytes):
        return Answer(point, outcome, None)
    return Answer(point, outcome.key, outcome)


def main() -> None:
    """The process, with socket and store as its arguments; Ctrl-C is the caller's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.set_threshold(200_000)
    link = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, ConnectionError):
        serve(link, sys.argv[2])
