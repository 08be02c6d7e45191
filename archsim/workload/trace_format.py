"""The words and bounds of the trace format, shared by its reader, its writer and its documentation."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import NoReturn

from archsim.errors import Finding, TraceError, did_you_mean
from archsim.workload.operations import KINDS

MAGIC = "archsim-trace"
VERSION = 1
FIRST_LINE = f"{MAGIC} {VERSION}"
HEADERS = ("model", "attention", "batch", "precision", "phase", "experts")
OPERATION_FORM = "id kind layer key=value ... after=a,b"
NAME_FORM = "letters, digits and _ . - /, a letter first"

LONGEST_LINE = 100_000
LONGEST_NAME = 100
MOST_OPERATIONS = 1_000_000
LARGEST = 10**7
"""No dimension and no number of tokens is larger than this: a typing slip, not a model."""

PRECISION_FIELDS = ("weight_bits", "activation_bits", "score_bits", "nonlinear_bits", "partial_sum_bits")
PHASE_FIELDS = {"prefill": ("tokens",), "decode": ("steps", "context")}
EXPERT_FIELDS = ("count", "active", "seed")
ROUTING = "uniform"

BOUNDS: dict[str, tuple[int, int]] = {
    **dict.fromkeys(PRECISION_FIELDS, (1, 64)),
    "layer": (0, 99_999),
    "expert": (0, 4095),
    "count": (2, 4096),
    "active": (1, 4096),
    "seed": (0, 2**63 - 1),
}
"""Lowest and highest value by field; what is not named here is a size from 1 to LARGEST."""

_NAME_CHARACTERS = frozenset(string.ascii_letters + string.digits + "_.-/")


class Report:
    """Collects what is wrong with one trace file, so that all of it is told at once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.findings: list[Finding] = []

    def add(self, message: str, line: int | None = None, path: str = "") -> None:
        """Note one finding; ``path`` is the id of the operation that it is about."""
        self.findings.append(Finding(message, self.file, line, path))

    def stop(self, message: str, line: int | None = None) -> NoReturn:
        """Note a finding after which nothing more can be read, and tell them all."""
        self.add(message, line)
        raise self.error()

    def error(self) -> TraceError:
        """All findings, in the order of their lines."""
        return TraceError(sorted(self.findings, key=lambda finding: finding.line or 0))


def shown(text: str) -> str:
    """``text`` in quotes, shortened where it is long."""
    return repr(text if len(text) <= 60 else text[:57] + "...")


def is_name(text: str) -> bool:
    """Whether ``text`` can be an id or a model's name: up to LONGEST_NAME of NAME_FORM."""
    return (
        0 < len(text) <= LONGEST_NAME
        and (text[0].isalpha() or text[0] == "_")
        and _NAME_CHARACTERS.issuperset(text)
    )


def parse_number(name: str, text: str) -> int:
    """The value of field ``name``.

    Raises: ValueError: when it is not a whole number within the field's bounds.
    """
    low, high = BOUNDS.get(name, (1, LARGEST))
    if len(text) <= 20 and text.isascii() and text.isdecimal() and low <= int(text) <= high:
        return int(text)
    raise ValueError(f"{name}: given {shown(text)}, allowed is a whole number from {low} to {high}")


def parse_fields(
    owner: str,
    words: Iterable[str],
    required: tuple[str, ...],
    optional: tuple[str, ...],
    report: Report,
    line: int,
    path: str = "",
) -> dict[str, int] | None:
    """The numbers written as ``key=value`` in ``words``, or None after reporting what is wrong.

    Args: owner: what the fields belong to, as messages name it, such as ``linear``.
    """
    values: dict[str, int] = {}
    before = len(report.findings)
    for word in words:
        key, equals, text = word.partition("=")
        if key not in required and key not in optional:
            allowed = (*required, *optional)
            what = f"unknown field {shown(key)}" if equals else f"{shown(word)} is not key=value"
            report.add(f"{what}{did_you_mean(key, allowed)}; {owner} takes {', '.join(allowed)}", line, path)
        elif key in values:
            report.add(f"{key} is given twice", line, path)
        else:
            values[key] = 0
            try:
                values[key] = parse_number(key, text)
            except ValueError as error:
                report.add(str(error), line, path)
    missing = [key for key in required if key not in values]
    if missing:
        report.add(f"{owner} lacks {', '.join(missing)}; it is given by {', '.join(required)}", line, path)
    return values if len(report.findings) == before else None


def operand_range(kind: str) -> str:
    """The allowed numbers of operands of a kind, as a person says it."""
    low, high = KINDS[kind].operands
    if low == high:
        return str(low) if low else "no"
    return f"{low} or {high}" if high == low + 1 else f"{low} to {high}"


def kinds_table() -> str:
    """The kinds of operations as a Markdown table, as docs/trace.md carries it."""
    rows = ["| kind | shape fields | operands | what it is |", "| --- | --- | --- | --- |"]
    for name, kind in KINDS.items():
        fields = " ".join(f"`{field}=`" for field in kind.shape)
        rows.append(f"| `{name}` | {fields} | {operand_range(name)} | {kind.meaning} |")
    return "\n".join(rows)
