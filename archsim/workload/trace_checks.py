"""What one line of a trace does not show: operands, widths, experts and layers that fit each other."""

from __future__ import annotations

from collections.abc import Iterable

from archsim.errors import did_you_mean
from archsim.workload.operations import Experts, Operation
from archsim.workload.trace_format import Report, shown

# Finding the nearest id takes time in proportion to the ids there are: for the first few, in usual files.
_SUGGESTIONS = 20
_SUGGESTED_FROM = 10_000
_CYCLE_SHOWN = 8


def check_operations(operations: Iterable[Operation], declared: dict[str, int], report: Report) -> None:
    """Check each operation against its producers.

    Args: declared: the line of each id of the file, those of broken operations too.
    """
    by_id = {op.id: op for op in operations}
    _check_operands(by_id, declared, report)
    for op in by_id.values():
        producers = [by_id.get(name) for name in op.after]
        for place, producer in enumerate(producers):
            if producer:
                _check_width(op, place, producer, declared[op.id], report)
                _check_tokens(op, producer, declared[op.id], report)
        if op.kind == "combine":
            _check_combine(op, producers, declared[op.id], report)


def check_layers(operations: Iterable[Operation], declared: dict[str, int], report: Report) -> None:
    """Layers count 0, 1, 2, ... without gaps."""
    first: dict[int, Operation] = {}
    for op in operations:
        if op.layer is not None:
            first.setdefault(op.layer, op)
    for place, layer in enumerate(sorted(first)):
        if layer != place:
            op = first[layer]
            report.add(
                f"layer {layer} is given but layer {place} is not: layers count 0, 1, 2, ... without gaps",
                declared[op.id],
                op.id,
            )
            return


def report_cycle(cycle: list[Operation], declared: dict[str, int], report: Report) -> None:
    """Name the operations that wait for each other."""
    names = [op.id for op in cycle]
    if len(names) > _CYCLE_SHOWN:
        names = [*names[: _CYCLE_SHOWN - 1], f"... ({len(cycle)} operations)"]
    names.append(cycle[0].id)
    report.add(f"a cycle: {' waits for '.join(names)}", declared[cycle[0].id], cycle[0].id)


def _check_operands(by_id: dict[str, Operation], declared: dict[str, int], report: Report) -> None:
    suggestions = _SUGGESTIONS if len(declared) <= _SUGGESTED_FROM else 0
    for op in by_id.values():
        for name in op.after:
            if name not in declared:
                near = did_you_mean(name, declared) if suggestions > 0 else ""
                suggestions -= 1
                report.add(f"there is no operation {shown(name)} to wait for{near}", declared[op.id], op.id)


def _operand_width(op: Operation, place: int) -> tuple[int, str]:
    """Elements that ``op`` takes from its operand at ``place``, and the fields that say so.

    0 elements are attention scores, one a head and key.
    """
    if op.kind == "linear":
        return op.rows, f"rows={op.rows}"
    if op.kind == "softmax" or (op.kind == "attention_context" and place == 0):
        return 0, f"heads={op.heads}"
    if op.family == "attention" and place == 1:
        return op.kv_heads * op.head_size, f"kv_heads={op.kv_heads} x head_size={op.head_size}"
    if op.family == "attention" or op.kind == "rotary":
        return op.heads * op.head_size, f"heads={op.heads} x head_size={op.head_size}"
    return op.width, f"width={op.width}"


def _check_width(op: Operation, place: int, producer: Operation, line: int, report: Report) -> None:
    """The producer gives what ``op`` takes."""
    takes, fields = _operand_width(op, place)
    scores = producer.kind in ("attention_scores", "softmax")
    if takes == 0 and not scores:
        report.add(f"takes attention scores, but {producer.id} is a {producer.kind}", line, op.id)
    elif takes == 0 and producer.heads != op.heads:
        report.add(f"has heads={op.heads}, but {producer.id} has heads={producer.heads}", line, op.id)
    elif takes and scores:
        vector = f"takes {takes} elements a token ({fields})"
        report.add(f"{vector}, but {producer.id} gives attention scores", line, op.id)
    elif takes != producer.output_width:
        vector = f"takes {takes} elements a token ({fields})"
        report.add(f"{vector}, but {producer.id} gives {producer.output_width}", line, op.id)


def _check_tokens(op: Operation, producer: Operation, line: int, report: Report) -> None:
    """Every token that ``op`` works on has a result of the producer."""
    if producer.last and not op.last:
        report.add(f"works on all tokens, but {producer.id} gives the last one only", line, op.id)
    if producer.expert is not None and op.kind != "combine" and op.expert != producer.expert:
        own = "all tokens" if op.expert is None else f"the tokens of expert {op.expert}"
        report.add(f"works on {own}, but {producer.id} on those of expert {producer.expert}", line, op.id)


def check_experts(
    operations: Iterable[Operation], declared: dict[str, int], experts: Experts | None, report: Report
) -> None:
    """Experts exist, and a router of their layer sends tokens to them."""
    routed = {op.layer for op in operations if op.kind == "route"}
    for op in operations:
        if op.kind == "combine" and experts and len(op.after) != experts.count:
            given = f"given {len(op.after)} operands, allowed is one of each of {experts.count} experts"
            report.add(given, declared[op.id], op.id)
        if op.expert is None:
            continue
        if experts is None:
            header = "'experts count=N active=K seed=S routing=uniform'"
            report.add(f"expert={op.expert} needs a header line {header}", declared[op.id], op.id)
            return
        if op.expert >= experts.count:
            allowed = f"allowed is 0 to {experts.count - 1}"
            report.add(f"expert: given {op.expert}, {allowed}", declared[op.id], op.id)
        if op.layer not in routed:
            routed.add(op.layer)
            where = "outside the layers" if op.layer is None else f"in layer {op.layer}"
            report.add(f"there is no route operation {where} to choose experts", declared[op.id], op.id)


def _check_combine(op: Operation, producers: list[Operation | None], line: int, report: Report) -> None:
    """A combine takes one result of each expert, in the order of the experts."""
    if None in producers:
        return
    given = [producer.expert for producer in producers if producer]
    if given != list(range(len(given))):
        listed = ", ".join("-" if expert is None else str(expert) for expert in given[:16])
        report.add(f"takes one operand of each expert, 0 first, given those of {listed}", line, op.id)
