"""Writes a trace as the text that the reader reads, in columns that a person can read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archsim.errors import TraceError
from archsim.workload.operations import KINDS, Operation, Trace
from archsim.workload.trace_format import (
    EXPERT_FIELDS,
    FIRST_LINE,
    HEADERS,
    PHASE_FIELDS,
    PRECISION_FIELDS,
    ROUTING,
    is_name,
    shown,
)

_HEADER_WIDTH = 2 + max(map(len, HEADERS))
_COLUMNS = ("# id", "kind", "layer", "shape", "after")


def write_trace(trace: Trace, comments: Sequence[str] = ()) -> str:
    """The text of a ``.trace`` file; reading it gives an equal trace.

    Args: comments: lines that stand below the first one, such as the command that made the trace.
    Raises: TraceError: when a name could not be read back.
    """
    operands = (operand for op in trace.operations for operand in op.after)
    for name in (trace.model, *trace.by_id, *operands):
        # a line that begins with a header's word is a header
        if not is_name(name) or (name in HEADERS and name in trace.by_id):
            raise TraceError(f"{shown(name)} cannot be the name of a model or an operation in a trace file")
    rows = [_COLUMNS, *(_operation_columns(op) for op in trace.operations)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    table = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    lines = [FIRST_LINE, *(f"# {comment}" for comment in comments), *_header_lines(trace), "", table[0]]
    layer = trace.operations[0].layer if trace.operations else None
    for op, row in zip(trace.operations, table[1:], strict=True):
        if op.layer != layer:
            lines.append("")
        layer = op.layer
        lines.append(row)
    return "\n".join(lines) + "\n"


def _header_lines(trace: Trace) -> Iterable[str]:
    headers = [
        ("model", trace.model),
        ("attention", trace.attention),
        ("batch", str(trace.batch)),
        ("precision", _fields(trace.precision, PRECISION_FIELDS)),
    ]
    if trace.experts:
        headers.append(("experts", f"{_fields(trace.experts, EXPERT_FIELDS)} routing={ROUTING}"))
    headers += [
        ("phase", f"{phase.name} {_fields(phase, PHASE_FIELDS[phase.name])}") for phase in trace.phases
    ]
    return [f"{key:<{_HEADER_WIDTH}}{value}" for key, value in headers]


def _operation_columns(op: Operation) -> tuple[str, str, str, str, str]:
    shape = _fields(op, KINDS[op.kind].shape)
    if op.expert is not None:
        shape += f" expert={op.expert}"
    if op.last:
        shape += " last"
    after = f"after={','.join(op.after)}" if op.after else ""
    return op.id, op.kind, "-" if op.layer is None else str(op.layer), shape, after


def _fields(owner: object, names: Sequence[str]) -> str:
    return " ".join(f"{name}={getattr(owner, name)}" for name in names)
