"""``archsim VERB ...``: chooses the verb, prints what it returns, and turns errors into exit statuses.

A verb is one file with ``add_parser``, which must stay light because ``--help`` runs it, and ``run``,
which imports what it needs and returns the text for stdout.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence

import archsim
from archsim.cli import assumptions, compare, crossbar, describe, plot, reproduce, simulate, sweep, trace
from archsim.cli.parser import Parser
from archsim.errors import ArchsimError

_DESCRIPTION = """\
A cycle-level simulator for RRAM processing-in-memory transformer accelerators:
one hardware YAML and one workload trace give latency, throughput, energy and area."""

_EXAMPLE = """\
example:
  archsim simulate hwconfigs/hyflexpim.yaml workloads/bert_large.trace --out build/bert"""

_USER_ERROR = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells have it
_CLOSED_PIPE = 141  # 128 + SIGPIPE


def run() -> None:
    """The ``archsim`` command.

    The garbage collector runs seldom, since nearly all of what imports and runs make stays in use, and not
    at the exit: compilers leave so many objects that looking through them takes a third of a second.
    """
    gc.set_threshold(200_000)
    status = main()
    gc.freeze()
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line.

    Returns: the exit status: 0, 2 for what the user can mend, 130 after Ctrl-C.
    Raises: SystemExit: from the parser, after ``--help`` and ``--version`` (0) or a wrong argument (2).
    """
    try:
        arguments = _parser().parse_args(argv)
        _print(arguments.run(arguments))
    except ArchsimError as error:
        print(error, file=sys.stderr)
        return _USER_ERROR
    except BrokenPipeError:
        _discard_stdout()
        return _CLOSED_PIPE
    except KeyboardInterrupt:
        print("archsim: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _parser() -> Parser:
    parser = Parser(prog="archsim", description=_DESCRIPTION, epilog=_EXAMPLE)
    parser.add_argument("--version", action="version", version=f"archsim {archsim.__version__}")
    verbs = parser.add_subparsers(metavar="VERB", required=True, title="verbs")
    for verb in (simulate, trace, describe, compare, assumptions, sweep, plot, crossbar, reproduce):
        verb.add_parser(verbs)
    return parser


def _print(text: str) -> None:
    """Write to stdout at once, so that a full disk or a closed pipe shows here and not at exit.

    Raises: ArchsimError: when the disk is full; BrokenPipeError: when nobody reads on.
    """
    try:
        sys.stdout.write(text if text.endswith("\n") or not text else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_stdout()
        raise ArchsimError(f"stdout cannot be written: {(error.strerror or str(error)).lower()}") from error


def _discard_stdout() -> None:
    """Let Python's own flush at exit find a place that takes what is left."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
