"""``archsim crossbar``: one product on the arrays of a machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archsim.cli.options import Verbs, add_machine, load_machine
from archsim.cli.progress import progress
from archsim.errors import CrossbarError, Finding

if TYPE_CHECKING:
    from numpy.typing import NDArray

_DESCRIPTION = """\
Multiply a batch of vectors with one matrix as the arrays of a machine would, all in SLC, all in MLC, and
as the machine's hybrid: how far the result is from the exact one, which conversions saturate, what the
noise amounts to, and what it costs in energy and time.

Random weights and inputs are normally distributed. A converter with the range 'calibrated' is calibrated
with as many vectors of the same kind, or with those of --inputs."""

_EXAMPLE = """\
examples:
  archsim crossbar hwconfigs/hyflexpim.yaml --rows 1024 --columns 1024
  archsim crossbar hwconfigs/hyflexpim.yaml --matrix weights.npy --inputs x.npy --svd \\
      --set pu.parts.analog.adc.range=flip"""

BATCH = 16
MOST_NUMBERS = 2**24
"""Weights, and numbers of a batch, that are taken: a minute and a few gigabytes."""


def add_parser(verbs: Verbs) -> None:
    """Declare the verb's arguments."""
    parser = verbs.add_parser(
        "crossbar", help="compute one product as arrays do", description=_DESCRIPTION, epilog=_EXAMPLE
    )
    parser.set_defaults(run=run)
    add_machine(parser)
    parser.add_argument("--rows", type=int, metavar="M", help="inputs of a random matrix")
    parser.add_argument("--columns", type=int, metavar="N", help="outputs of a random matrix")
    parser.add_argument("--batch", type=int, metavar="B", help=f"random vectors (default: {BATCH})")
    parser.add_argument(
        "--matrix", metavar="FILE", help="a matrix in a .npy file, whole or real numbers, rows x columns"
    )
    parser.add_argument(
        "--inputs", metavar="FILE", help="vectors in a .npy file, whole or real numbers, batch x rows"
    )
    parser.add_argument("--weight-bits", type=int, default=8, metavar="BITS", help="default: 8")
    parser.add_argument("--input-bits", type=int, default=8, metavar="BITS", help="default: 8")
    parser.add_argument(
        "--svd", action="store_true", help="store the two factors of the hard-threshold rank, SLC by rank"
    )
    parser.add_argument("--seed", type=int, default=0, help="of random numbers and noise (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the same as JSON")


def run(arguments: argparse.Namespace) -> str:
    """Compute the product in each mode and return the table."""
    from archsim.cli.crossbar_job import Job, demonstrate
    from archsim.report.crossbar import crossbar_text

    if findings := list(_wrong(arguments)):
        raise CrossbarError(findings)
    machine = load_machine(arguments.hardware, arguments)
    job = Job(
        machine,
        *_operands(arguments),
        weight_bits=arguments.weight_bits,
        input_bits=arguments.input_bits,
        svd=arguments.svd,
        seed=arguments.seed,
    )
    with progress("multiplying"):
        shown = demonstrate(job)
    return json.dumps(shown, indent=2) if arguments.json else crossbar_text(shown)


def _wrong(arguments: argparse.Namespace) -> Iterator[Finding]:
    """What is wrong with the numbers and their combination, before any file is read."""
    given = vars(arguments)
    for name, least, most in (
        ("rows", 1, MOST_NUMBERS),
        ("columns", 1, MOST_NUMBERS),
        ("batch", 1, MOST_NUMBERS),
        ("weight_bits", 2, 16),
        ("input_bits", 1, 16),
        ("seed", 0, None),
    ):
        value, option = given[name], f"--{name.replace('_', '-')}"
        if value is None:
            continue
        if value < least:
            yield Finding(f"must be at least {least}, not {value}", path=option)
        elif most is not None and value > most:
            yield Finding(f"must be at most {most:,}, not {value:,}", path=option)
    for name, file in (("rows", "matrix"), ("columns", "matrix"), ("batch", "inputs")):
        if given[name] is not None and given[file] is not None:
            yield Finding(f"is that of --{file}: leave it out", path=f"--{name}")
        elif name != "batch" and given[name] is None and given[file] is None:
            yield Finding(f"is needed without --{file}", path=f"--{name}")


def _operands(arguments: argparse.Namespace) -> tuple[NDArray[Any], NDArray[Any] | None, int]:
    """The matrix, the vectors or None for random ones, and how many these are.

    Raises: CrossbarError: when a file holds no such array, or there are too many numbers.
    """
    import numpy as np

    from archsim.crossbar.coding import real_matrix

    inputs = None
    if arguments.inputs is not None:
        inputs = real_matrix(np.atleast_2d(_read(arguments.inputs)), arguments.inputs)
    batch = len(inputs) if inputs is not None else arguments.batch or BATCH
    if arguments.matrix is not None:
        matrix = real_matrix(_read(arguments.matrix), arguments.matrix)
        rows = len(matrix)
    else:
        rows = arguments.rows
        _check_size(rows * arguments.columns, f"{rows} x {arguments.columns} weights")
        matrix = np.random.default_rng((arguments.seed, 0)).standard_normal((rows, arguments.columns))
    _check_size(batch * rows, f"{batch} vectors of {rows} numbers")
    return matrix, inputs, batch


def _check_size(numbers: int, what: str) -> None:
    if numbers > MOST_NUMBERS:
        raise CrossbarError(f"{what} are {numbers:,} numbers; at most {MOST_NUMBERS:,} are taken")


def _read(file: str) -> NDArray[Any]:
    """The array in a .npy file.

    Raises: CrossbarError: when it cannot be read, or is no such file.
    """
    import os

    import numpy as np

    try:
        if os.path.getsize(file) > 9 * MOST_NUMBERS:
            raise CrossbarError(Finding(f"is larger than {MOST_NUMBERS:,} numbers can be", file))
        array = np.load(file, allow_pickle=False)
    except OSError as error:
        raise CrossbarError(Finding((error.strerror or "cannot be read").lower(), file)) from error
    except (ValueError, EOFError, MemoryError) as error:
        raise CrossbarError(Finding("is no array that numpy.save has written", file)) from error
    if not isinstance(array, np.ndarray):
        raise CrossbarError(Finding("holds several arrays: save the one in a .npy file", file))
    return array
