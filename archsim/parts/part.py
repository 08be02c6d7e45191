"""The interface behind which every kind of part stands: the only thing that mapping and schedule know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, Protocol

import numpy as np

from archsim.cost.entry import CostTable
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import bits_to_bytes
from archsim.workload.operations import Operation, Precision


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a phase in program order: arrays of shape (tokens,).

    Args: sequence: which sequence of the batch; pass_: which prefill or decode step (a decode step of
        the whole batch is one pass); position: in its sequence; keys: how many keys it attends to;
        index: in the inference, over all its phases.
    """

    sequence: IntArray
    pass_: IntArray
    position: IntArray
    keys: IntArray
    index: IntArray

    def __len__(self) -> int:
        return len(self.index)

    def take(self, which: IntArray) -> Tokens:
        """The tokens at the places ``which``."""
        return Tokens(
            self.sequence[which],
            self.pass_[which],
            self.position[which],
            self.keys[which],
            self.index[which],
        )


class Fetch(Protocol):
    """The way from the part that holds something to the one that works on it, a piece at a time.

    A piece is read, moved, and then waits in a buffer of the part that works on it. The places of the
    buffer are granted in the order of the inferences, their passes and their operations.
    """

    def bring(self, nbytes: IntArray, token: IntArray, after: Wire, graph: GraphBuilder) -> Wire:
        """Fetch pieces; returns (pieces,) the tasks after which each is there.

        Args: nbytes, token: (pieces,); after: (pieces,) what each waits for besides its place.
        """

    def free(self, tasks: Wire, group: IntArray, pass_: IntArray, places: int) -> None:
        """Say when the pieces of the last ``bring`` leave the buffer, which has room for ``places``.

        Args: tasks: (pieces,) those that work on them; group, pass_: (pieces,) of their tokens.
        """


class Value(NamedTuple):
    """The result of an operation on one PU.

    Args: ready: (tokens,) the tasks after which each token's result may be used; width: elements a
        token, one number or (tokens,); bits: of an element; at: the name of the part that holds it;
        partial_sums: of each element, still to be added where the value is moved to first;
        slots: results that the part can hold until they are moved on, 0 where nothing bounds them;
        fetch: the way to keys or values that are cached at a part which does not multiply with them.
    """

    ready: Wire
    width: IntArray | int
    bits: int
    at: str
    partial_sums: int = 1
    slots: int = 0
    fetch: Fetch | None = None

    @property
    def nbytes(self) -> IntArray | int:
        """Bytes of each token's result: one number, or (tokens,)."""
        if isinstance(self.width, int):
            return -(-self.width * self.bits * self.partial_sums // 8)
        return bits_to_bytes(np.asarray(self.width, dtype=np.int64) * (self.bits * self.partial_sums))

    def after(self, ready: Wire) -> Value:
        """The same value, to be used after other tasks."""
        return Value(ready, self.width, self.bits, self.at, self.partial_sums, self.slots, self.fetch)

    def take(self, which: IntArray) -> Value:
        """The value for the tokens at the places ``which``."""
        width = (
            self.width
            if isinstance(self.width, int)
            else np.broadcast_to(self.width, self.ready.shape)[which]
        )
        return self._replace(ready=self.ready[which], width=width)


class Region(NamedTuple):
    """A rectangle of weights that is stored in one mode of a part's cells.

    Args: mode: one of the part's modes, such as ``slc``; '' for a part without modes.
    """

    mode: str
    rows: int
    columns: int


class Stored(NamedTuple):
    """A matrix on one PU: what a part is asked to hold.

    Args: name: unique on its PU, such as ``l0.q.1``; rows, columns: of the whole matrix; regions: what
        it consists of, side by side in the rows (first SVD factor) or in the columns (second).
    """

    name: str
    rows: int
    columns: int
    bits: int
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Size:
    """What something takes of a part, in the part's unit, and how much of that fragmentation wastes.

    Args: units: whole units (arrays, bytes); exact: the same without fragmentation, as a fraction.
    """

    units: int
    exact: Fraction

    def __add__(self, other: Size) -> Size:
        return Size(self.units + other.units, self.exact + other.exact)


NO_SIZE = Size(0, Fraction(0))


class Held(NamedTuple):
    """A matrix in its place.

    Args: part: that holds it; copies: whole copies to which tokens are dealt in turn; speed: by how much
        ``ideal`` replication shortens the occupancy (1 otherwise); fetch: the way to a part that
        multiplies with it but does not hold it.
    """

    stored: Stored
    part: str
    copies: int = 1
    speed: Fraction = Fraction(1)
    fetch: Fetch | None = None

    def renamed(self, name: str) -> Held:
        """As many copies of a matrix that is equal but for its name."""
        old = self.stored
        stored = Stored(name, old.rows, old.columns, old.bits, old.regions)
        return Held(stored, self.part, self.copies, self.speed, self.fetch)


@dataclass(frozen=True, slots=True)
class Programming:
    """What it takes to write a part's weights once; arrays are written side by side."""

    time_ns: float
    energy_pj: float


@dataclass(frozen=True, slots=True)
class Fact:
    """A number or a word that describes a part or a medium to a person.

    Args: label: such as ``read``; unit: such as ``cycles``, '' for none.
    """

    label: str
    value: int | float | str
    unit: str = ""


class Part(Protocol):
    """One kind of part, with its parameters: executes operations, holds weights, or both.

    A part is stateless: it writes tasks into the graph that it is given, on resources of the graph's
    current place, and returns the wires after which results may be used.
    """

    @property
    def name(self) -> str:
        """Its key in the YAML, and the first word of its resources, actions and components."""

    @property
    def unit(self) -> str:
        """What its capacity is counted in: ``arrays``, ``bytes``, or '' where it holds nothing."""

    @property
    def capacity(self) -> int:
        """Units of one PU's parts of this name together."""

    @property
    def modes(self) -> tuple[str, ...]:
        """Modes of its cells, the most robust first (``slc``, ``mlc``), or () for one mode only."""

    @property
    def readable(self) -> bool:
        """Whether other parts can read what it holds."""

    @property
    def group_tokens(self) -> int:
        """Tokens that it takes up together at most."""

    @property
    def costs(self) -> CostTable:
        """Energies of its actions; area and power of the components of one instance."""

    def refuses(self, op: Operation, precision: Precision) -> str:
        """'' where it executes ``op``, else the reason why not, as an error states it."""

    def size(self, stored: Stored) -> Size:
        """What ``stored`` takes of one PU's capacity; sizes add up."""

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Cycles between two tokens through one copy of ``stored``; ranks stages for replication."""

    def cache_size(self, nbytes: int) -> int:
        """What ``nbytes`` of run-time values (keys, values, intermediates) take, in its unit.

        Raises: MappingError: where it stores none.
        """

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """Write the tasks of ``op`` for ``tokens``; ``op`` has the shape of this PU's share.

        Args: inputs: already at this part, but for those with a ``fetch``; a third one of attention
            scores says how many keys a pruner has left to each token; held: the weights of a linear
            operation.
        """

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write a value into the part's memory, token by token; returns the tasks that do.

        Raises: MappingError: where it stores no run-time values.
        """

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Read from the part's memory for another part, after ``ready``; returns the tasks that do.

        ``ready`` itself where reading is a part of what the other does. Args: nbytes, token: (reads,).
        Raises: MappingError: where it is not ``readable``.
        """

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Multiply-accumulates a cycle with all of a PU's parts of this name busy."""

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """What ``archsim describe`` says of it: geometry, room, and the timings that matter."""

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """What an architect should know about the part as it is used."""

    def program(self, held: Sequence[Held]) -> Programming:
        """Time and energy of writing all the weights of one PU, once."""


class Medium(Protocol):
    """A bus or a link: moves bytes from place to place."""

    @property
    def name(self) -> str:
        """Its key in the YAML, and the part that its resource is reported as."""

    @property
    def costs(self) -> CostTable:
        """Energy of moving a bit; area and power of one instance."""

    def facts(self) -> tuple[Fact, ...]:
        """What ``archsim describe`` says of it."""

    def cycles(self, nbytes: IntArray | int) -> IntArray | int:
        """Cycles for which a transfer holds the medium: one number, or (tokens,)."""

    def move(
        self,
        nbytes: IntArray | int,
        token: IntArray,
        after: Sequence[Wire],
        graph: GraphBuilder,
        lane: str = "",
    ) -> Wire:
        """One transfer for each token, on the resource of the graph's current place.

        Args: nbytes: one number, or (tokens,); lane: names one of several media of the same kind in
            one place, such as a link's direction.
        """
