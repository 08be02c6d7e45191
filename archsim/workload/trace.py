"""Reads ``.trace`` files line by line and tells everything that is wrong with one at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import BinaryIO

from archsim.workload.operations import Operation, Trace
from archsim.workload.trace_checks import (
    check_experts,
    check_layers,
    check_operations,
    report_cycle,
)
from archsim.workload.trace_format import (
    FIRST_LINE,
    HEADERS,
    LONGEST_LINE,
    MAGIC,
    MOST_OPERATIONS,
    VERSION,
    Report,
    shown,
)
from archsim.workload.trace_header import Header, check_header, parse_header
from archsim.workload.trace_operations import looks_like_operation, parse_operation
from archsim.workload.trace_order import order_operations
from archsim.workload.trace_writer import write_trace

__all__ = ["read_trace", "write_trace"]


def read_trace(path: str | os.PathLike[str]) -> Trace:
    """The workload of a trace file.

    Raises: TraceError: with every finding, each with its line, when the file cannot be read or does
        not describe a workload.
    """
    report = Report(os.fspath(path))
    try:
        with open(path, "rb") as file:
            return _parse(_lines(file, report), report)
    except FileNotFoundError:
        report.stop("there is no such file")
    except IsADirectoryError:
        report.stop("is a directory, not a trace file")
    except OSError as error:
        report.stop(f"cannot be read: {error.strerror}")


def _lines(file: BinaryIO, report: Report) -> Iterator[tuple[int, list[str]]]:
    """The number and the words of each line that says something."""
    line = 0
    while raw := file.readline(LONGEST_LINE + 1):
        line += 1
        if b"\0" in raw:
            report.stop(f"is not a text file: a zero byte at column {raw.index(0) + 1}", line)
        if len(raw) > LONGEST_LINE:
            report.stop(f"the line is longer than {LONGEST_LINE} characters", line)
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            byte = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}"
            report.stop(f"is not a text file in UTF-8: {byte}", line)
        if not text.endswith("\n"):
            report.add("the file ends inside this line, without a newline, as if it were cut off", line)
        words = text.partition("#")[0].split()
        if words:
            yield line, words


def _parse(lines: Iterator[tuple[int, list[str]]], report: Report) -> Trace:
    """The trace that the lines describe."""
    _check_first_line(next(lines, None), report)
    header = Header()
    operations: list[Operation] = []
    declared: dict[str, int] = {}
    for line, words in lines:
        if words[0] in HEADERS or not (declared or looks_like_operation(words)):
            if declared:
                report.add(f"header {words[0]} stands below the first operation", line)
            parse_header(words, line, header, report)
            continue
        if len(declared) == MOST_OPERATIONS:
            report.stop(f"there are more than {MOST_OPERATIONS} operations", line)
        if words[0] in declared:
            report.add(f"id {shown(words[0])} is given twice, first in line {declared[words[0]]}", line)
        operation = parse_operation(words, line, report)
        if operation and operation.id not in declared:
            operations.append(operation)
        declared.setdefault(words[0], line)
    return _checked(header, operations, declared, report)


def _check_first_line(first: tuple[int, list[str]] | None, report: Report) -> None:
    if first is None:
        report.stop(f"the file is empty; a trace begins with '{FIRST_LINE}'")
    line, words = first
    text = " ".join(words)
    if words[0] != MAGIC:
        report.stop(f"is not a trace: begins with {shown(text)}, a trace begins with '{FIRST_LINE}'", line)
    if words != FIRST_LINE.split():
        given = shown(" ".join(words[1:]))
        report.stop(f"version: given {given}, allowed is {VERSION}, as in '{FIRST_LINE}'", line)
    if line != 1:
        report.add(f"'{FIRST_LINE}' is the first line of a trace", line)


def _checked(header: Header, operations: list[Operation], declared: dict[str, int], report: Report) -> Trace:
    """The trace, once everything that spans lines has been checked."""
    check_header(header, report)
    if not declared:
        report.add("there are no operations")
    check_operations(operations, declared, report)
    if header.experts or "experts" not in header.lines:
        check_experts(operations, declared, header.experts, report)
    if len(operations) == len(declared):
        check_layers(operations, declared, report)
    ordered, cycles = order_operations(operations)
    for cycle in cycles:
        report_cycle(cycle, declared, report)
    if report.findings:
        raise report.error()
    return Trace(
        model=header.model,
        attention=header.attention,
        batch=header.batch,
        precision=header.precision,
        phases=header.phases,
        operations=tuple(ordered),
        experts=header.experts,
    )
