"""Tensor parallelism: the steps of a layer on its PUs, each PU's share of them, and what moves between.

A linear operation whose input is whole splits its columns; one whose input is already split splits its
rows and leaves partial sums, or, with ``tensor_split: columns``, gathers its input and splits its columns.
The columns that feed attention are split by heads, KV heads first, so that scores, softmax and context
stay on their PU. Element-wise operations stay split; all else runs on the first PU, the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from archsim.mapping.factors import Factor, even_shares, factorise, regions, split_columns, split_rows
from archsim.mapping.plan import Gives, Step, Takes
from archsim.parts.part import Held, Stored
from archsim.workload.operations import Family, Operation

ELEMENTWISE = frozenset({"gelu", "silu", "tanh", "add", "multiply"})

Split = tuple[int, ...]
"""How much of a value each PU has: elements, or heads where the width grows with the keys."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the steps of a machine's groups have in common.

    Args: executors: the part that executes each family; holder: the part that holds the weights; modes: of
        that part; bits: of a weight; tensor_split: how a linear operation whose input is split goes on.
    """

    executors: dict[Family, str]
    holder: str
    modes: tuple[str, ...]
    svd: str
    slc_rate: Fraction
    bits: int
    tensor_split: str = "rows"


def steps_of(operations: Sequence[Operation], pus: tuple[int, ...], rules: Rules) -> tuple[Step, ...]:
    """The steps of ``operations``, in their order, on ``pus``; weights have one copy each."""
    steps: list[Step] = []
    splits: dict[str, Split] = {}
    heads = _splits_by_heads(operations, len(pus)) if len(pus) > 1 else {}
    for op in operations:
        if op.kind == "linear":
            steps += _linear_steps(op, pus, rules, splits, heads.get(op.id))
            continue
        shares = _shares(op, splits, len(pus))
        part = rules.executors[op.family]
        if shares is None:
            steps.append(Step(op, 0, part, pus, "root", "root", (op,)))
        else:
            splits[op.id] = tuple(_amount(share) for share in shares)
            steps.append(Step(op, 0, part, pus, "split", "split", shares))
    return tuple(steps)


def _amount(share: Operation | None) -> int:
    if share is None:
        return 0
    return share.output_width or share.heads


@lru_cache(maxsize=4096)
def _head_shares(heads: int, kv_heads: int, pus: int) -> tuple[Split, Split]:
    """Each PU's heads and KV heads: a PU has the heads that its KV heads serve."""
    kv = even_shares(kv_heads, pus)
    return tuple(share * (heads // kv_heads) for share in kv), kv


def _splits_by_heads(operations: Sequence[Operation], pus: int) -> dict[str, Split]:
    """Column shares of the linear operations that feed attention, by way of element-wise ones or not."""
    by_id = {op.id: op for op in operations}
    found: dict[str, Split] = {}
    for op in operations:
        if op.family != "attention":
            continue
        heads, kv = _head_shares(op.heads, op.kv_heads, pus)
        for producer, shares in zip(op.after, (heads, kv), strict=True):
            source = by_id.get(producer)
            while source is not None and (source.kind == "rotary" or source.kind in ELEMENTWISE):
                source = by_id.get(source.after[0])
            if source is not None and source.kind == "linear":
                found.setdefault(source.id, tuple(share * op.head_size for share in shares))
    return found


def _shares(op: Operation, splits: dict[str, Split], pus: int) -> tuple[Operation | None, ...] | None:
    """Each PU's share of an operation without weights, or None where it runs on the root."""
    inputs = [splits.get(producer) for producer in op.after]
    first = inputs[0] if inputs else None
    if first is None or None in inputs:
        return None
    if op.family == "attention":
        heads, kv = _head_shares(op.heads, op.kv_heads, pus)
        size = op.head_size
        queries = heads if op.kind == "attention_context" else tuple(share * size for share in heads)
        if inputs != [queries, tuple(share * size for share in kv)]:
            return None
        return _pieces(op, heads=heads, kv_heads=kv)
    if op.kind == "softmax":
        return _pieces(op, heads=first)
    if op.kind == "rotary" and not any(share % op.head_size for share in first):
        return _pieces(op, heads=[share // op.head_size for share in first])
    if op.kind == "argmax" or (op.kind in ELEMENTWISE and all(split == first for split in inputs)):
        return _pieces(op, width=first)
    return None


def _pieces(op: Operation, **fields: Sequence[int]) -> tuple[Operation | None, ...]:
    """``op`` with the fields of each PU, None where they are 0; equal pieces are one object."""
    made: dict[tuple[int, ...], Operation | None] = {}
    values = list(zip(*fields.values(), strict=True))
    for value in values:
        if value not in made:
            changes: dict[str, Any] = dict(zip(fields, value, strict=True))
            made[value] = op._replace(**changes) if all(value) else None
    return tuple([made[value] for value in values])


def _linear_steps(
    op: Operation, pus: tuple[int, ...], rules: Rules, splits: dict[str, Split], by_heads: Split | None
) -> list[Step]:
    """One step, or one for each SVD factor; notes in ``splits`` how the result is split."""
    factors = factorise(op.rows, op.columns, rules.svd, rules.slc_rate)
    count = len(pus)
    if count == 1:
        return [
            _weight_step(op, index, len(factors), (factor,), pus, "root", "root", rules)
            for index, factor in enumerate(factors)
        ]
    given = splits.get(op.after[0]) if op.after and by_heads is None else None
    takes: Takes = "whole"
    gives: Gives = "split"
    widths = by_heads or even_shares(op.columns, count)
    first = factors[0]
    if rules.tensor_split == "rows" and given is not None and sum(given) == op.rows:
        takes, gives = "split", "partial"
        shares = split_rows(first, given)
    elif len(factors) == 2:
        shares = split_columns(first, even_shares(first.columns, count))
    else:
        shares = split_columns(first, widths)
    steps = [_weight_step(op, 0, len(factors), shares, pus, takes, gives, rules)]
    if len(factors) == 2:
        shares, gives = split_columns(factors[1], widths), "split"
        steps.append(_weight_step(op, 1, 2, shares, pus, "whole", "split", rules))
    if gives == "split":
        splits[op.id] = widths
    return steps


def _weight_step(
    op: Operation,
    index: int,
    factors: int,
    shares: Sequence[Factor],
    pus: tuple[int, ...],
    takes: Takes,
    gives: Gives,
    rules: Rules,
) -> Step:
    """One matrix of a linear operation; PUs whose share is empty have nothing to do."""
    name = op.id if factors == 1 else f"{op.id}.{index}"
    part = rules.executors["linear"]

    def hold(share: Factor) -> Held | None:
        if not (share.rows and share.columns):
            return None
        stored = Stored(name, share.rows, share.columns, rules.bits, regions(share, rules.modes))
        return Held(stored, rules.holder)

    made = {share: hold(share) for share in set(shares)}
    pieces = _pieces(op, rows=[share.rows for share in shares], columns=[share.columns for share in shares])
    return Step(op, index, part, pus, takes, gives, pieces, tuple([made[share] for share in shares]))
