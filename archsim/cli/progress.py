"""A line on the terminal that tells that a long command is at work; nothing in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

_PATIENCE_S = 1.0
_REFRESH_S = 0.25
_CLEAR = "\r\x1b[K"


@contextmanager
def progress(what: str | Callable[[], str]) -> Iterator[None]:
    """Show ``what``, or what it says now, and the seconds gone on stderr while the body runs.

    The line comes with the body's second second.
    """
    if not sys.stderr.isatty():
        yield
        return
    done = Event()
    thread = Thread(target=_show, args=(what, done), daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def note(text: str) -> None:
    """Print a line on stderr, in the place of the progress line if there is one."""
    print(f"{_CLEAR if sys.stderr.isatty() else ''}{text}", file=sys.stderr, flush=True)


def _show(what: str | Callable[[], str], done: Event) -> None:
    """Rewrite the line until ``done``, then clear it."""
    start = time.monotonic()
    if done.wait(_PATIENCE_S):
        return
    while not done.wait(_REFRESH_S):
        text = what if isinstance(what, str) else what()
        print(f"\r{text}, {time.monotonic() - start:.0f} s ", end="", file=sys.stderr, flush=True)
    print(_CLEAR, end="", file=sys.stderr, flush=True)
