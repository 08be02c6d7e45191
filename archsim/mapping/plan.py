"""The mapping of a trace on a machine: which part of which PU executes, holds and caches what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Literal, NamedTuple, TypeVar

from archsim.parts.part import Held
from archsim.workload.operations import Operation

Item = TypeVar("Item", Operation, Held)

Takes = Literal["root", "whole", "split"]
"""Where a step wants its inputs: on the root PU, a whole copy on every PU, or a share on each."""

Gives = Literal["root", "split", "partial"]
"""Where a step leaves its result: on the root PU, a share on each PU, or a full-width partial sum on
each, to be added on the root."""


class Step(NamedTuple):
    """One operation, or one SVD factor of a linear operation, on the PUs of its group.

    Args: op: as the trace states it; factor: 0, or 1 for the second SVD factor; part: the executor's
        name; pus: global PU numbers, the root first; shares: each PU's share of ``op`` (as an operation
        of its own shape; None where a PU has nothing to do), as long as ``pus`` or, for a step that
        takes and gives ``root``, of length 1; held: the weights of each share, () if it has none.
    """

    op: Operation
    factor: int
    part: str
    pus: tuple[int, ...]
    takes: Takes
    gives: Gives
    shares: tuple[Operation | None, ...]
    held: tuple[Held | None, ...] = ()

    def restated(self, op: Operation, pus: tuple[int, ...]) -> Step:
        """The same step of an equal operation, on as many other PUs."""
        old = self.op
        whole = self.shares == (old,)
        shares = (op,) if whole else each_once(lambda share: share.renamed(op), self.shares)
        held = self.held and each_once(
            lambda held: held.renamed(op.id + held.stored.name.removeprefix(old.id)), self.held
        )
        return Step(op, self.factor, self.part, pus, self.takes, self.gives, shares, held)


def each_once(make: Callable[[Item], Item], items: Sequence[Item | None]) -> tuple[Item | None, ...]:
    """What ``make`` makes of each item; an object that comes again is made once, and None stays None."""
    if len(items) == 1:
        return (items[0] and make(items[0]),)
    made: dict[int, Item | None] = {}
    for item in items:
        if id(item) not in made:
            made[id(item)] = None if item is None else make(item)
    return tuple([made[id(item)] for item in items])


@dataclass(frozen=True)
class Group:
    """A layer, or an operation outside the layers, and the PUs that work on it.

    Args: name: ``l3``, or the operation's id; operations: in their order; model: the steps of a group that
        is the same but for names and PUs; slots: inferences whose keys, values and intermediates fit beside
        each other; bytes_per_inference: what one takes on its fullest PU; sort: equal for groups of one
        ``model``.
    """

    name: str
    layer: int | None
    pus: tuple[int, ...]
    operations: tuple[Operation, ...]
    model: tuple[Step, ...]
    slots: int
    bytes_per_inference: int
    sort: tuple[int, int] = (0, 0)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The group's own steps: made when first wanted, since most equal groups are never looked into."""
        return tuple(self._restated())

    def _restated(self) -> Iterator[Step]:
        operations = iter(self.operations)
        for step in self.model:
            if not step.factor:
                op = next(operations)
            yield step.restated(op, self.pus)


@dataclass(frozen=True, slots=True)
class Holders:
    """The parts that hold weights, keys and values, and all else that an inference leaves behind."""

    weights: str
    keys_values: str
    others: str


@dataclass(frozen=True, slots=True)
class PartUse:
    """How full a part is, over all PUs of the chips that are used.

    Args: used: units that hold something, whole ones; total: units that those chips have; wasted:
        of the used ones, what fragmentation leaves empty.
    """

    used: int
    total: int
    wasted: float
    unit: str


@dataclass(frozen=True, slots=True)
class WholeInstead:
    """What ``whole`` replication would give where ``ideal`` was asked for.

    Args: feasible: whether whole arrays hold the model at all; short: arrays that a PU lacks otherwise;
        copies: of the slowest stage; interval_cycles: between two tokens of the slowest stage.
    """

    feasible: bool
    short: int
    copies: int
    interval_cycles: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole mapping.

    Args: groups: in program order; holders: the parts that were chosen to hold things; replicas: copies of
        the slowest stage of each group, or its speed-up under ``ideal``, by group name; idle_pus: PUs that
        have nothing to do on the chips there are.
    """

    groups: tuple[Group, ...]
    holders: Holders
    parts: dict[str, PartUse]
    replicas: dict[str, Fraction]
    pus_per_layer: int | Fraction
    chips_used: int
    idle_pus: int
    whole_instead: WholeInstead | None
    warnings: tuple[str, ...]
