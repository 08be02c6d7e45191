"""One operation line of a trace."""

from __future__ import annotations

from archsim.errors import did_you_mean
from archsim.workload.operations import KINDS, Operation
from archsim.workload.trace_format import (
    NAME_FORM,
    OPERATION_FORM,
    Report,
    is_name,
    operand_range,
    parse_fields,
    parse_number,
    shown,
)


def looks_like_operation(words: list[str]) -> bool:
    """Whether a line that begins with no header word is meant as an operation."""
    if len(words) > 1 and words[1] in KINDS:
        return True
    return len(words) > 2 and (words[2] == "-" or words[2].isdecimal())


def parse_operation(words: list[str], line: int, report: Report) -> Operation | None:
    """The operation of one line, or None after reporting what is wrong with it."""
    if len(words) < 3:
        report.add(f"the line is cut off after {shown(words[-1])}; an operation is '{OPERATION_FORM}'", line)
        return None
    name, kind = words[0], words[1]
    before = len(report.findings)
    if not is_name(name):
        report.add(f"id: given {shown(name)}, allowed are {NAME_FORM}", line)
        name = ""
    layer = _parse_layer(words[2], line, name, report)
    if kind not in KINDS:
        near = did_you_mean(kind, KINDS) or f"; allowed are {', '.join(KINDS)}"
        report.add(f"unknown kind {shown(kind)}{near}", line, name)
        return None
    numbers, last, after = _sort_words(words[3:], line, name, report)
    values = parse_fields(kind, numbers, KINDS[kind].shape, ("expert",), report, line, name)
    _check_operation(kind, values, last, after, line, name, report)
    if values is None or len(report.findings) > before:
        return None
    expert = values.pop("expert", None)
    return Operation(name, kind, layer, after, **values, expert=expert, last=last)


def _parse_layer(word: str, line: int, name: str, report: Report) -> int | None:
    if word == "-":
        return None
    try:
        return parse_number("layer", word)
    except ValueError as error:
        report.add(f"{error}, or - outside the layers", line, name)
        return None


def _sort_words(
    words: list[str], line: int, name: str, report: Report
) -> tuple[list[str], bool, tuple[str, ...]]:
    """The ``key=number`` words, whether ``last`` is among the others, and the operands."""
    numbers: list[str] = []
    last = False
    after: tuple[str, ...] | None = None
    for word in words:
        if word == "last":
            if last:
                report.add("last is given twice", line, name)
            last = True
        elif word.startswith("after="):
            if after is not None:
                report.add("after is given twice", line, name)
            after = tuple(word[len("after=") :].split(","))
            if "" in after:
                report.add(f"after: an operand is empty in {shown(word)}", line, name)
        else:
            numbers.append(word)
    return numbers, last, after or ()


def _check_operation(
    kind: str,
    values: dict[str, int] | None,
    last: bool,
    after: tuple[str, ...],
    line: int,
    name: str,
    report: Report,
) -> None:
    """What one line shows by itself: operands, heads, and marks that attention cannot carry."""
    low, high = KINDS[kind].operands
    if not low <= len(after) <= high:
        given = f"{len(after)}: {', '.join(after[:8])}" if after else "none"
        report.add(f"{kind} takes {operand_range(kind)} operands, given {given}", line, name)
    attention = KINDS[kind].family == "attention" or kind == "softmax"
    if last and attention:
        report.add(f"last is refused on {kind}: every token of attention takes part", line, name)
    if values is None:
        return
    if attention and "expert" in values:
        report.add(f"expert is refused on {kind}: experts share no keys", line, name)
    if "kv_heads" in values and values["heads"] % values["kv_heads"]:
        heads = f"heads={values['heads']} is not a multiple of kv_heads={values['kv_heads']}"
        report.add(f"{heads}: each KV head serves as many heads as the others", line, name)
