"""Digital processors: dot-product units that work on what memories hold, fetched a piece at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Section
from archsim.errors import MappingError
from archsim.parts.attention_work import attention_work
from archsim.parts.facts import MachineFacts
from archsim.parts.part import NO_SIZE, Fact, Fetch, Held, Programming, Size, Stored, Tokens, Value
from archsim.parts.pieces import Groups, cut, grouped
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.workload.operations import Operation, Precision


class DigitalProcessorModel(Section):
    """Processors of dot-product units, with a buffer for the weights, keys or values that come in."""

    kind: Literal["digital_processor"]
    """Which kind of part this is."""
    count: Count
    """Processors in a PU; they share the columns of a matrix."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    units: Count
    """Dot-product units of a processor."""
    inputs: Annotated[int, Field(ge=1, le=10**6)]
    """Products of a unit in a cycle; all units get the same inputs."""
    operand_bits: Annotated[int, Field(ge=1, le=64)]
    """Bits of an operand that a multiplier takes at once; wider ones take several steps."""
    pipeline_cycles: Annotated[int, Field(ge=0, le=10**6)]
    """From the last product of a piece to its sums."""
    group_tokens: Annotated[int, Field(ge=1, le=10**9)]
    """Tokens that share one fetch of what they are multiplied with."""
    buffer_bytes: Count
    """Room of a processor for what comes in."""
    buffer_pieces: Annotated[int, Field(ge=1, le=1024)]
    """Pieces that the buffer is divided into: one is worked on while the others are fetched."""
    mac: Cost
    """The units of a processor; an action is one product and sum of operands of ``operand_bits``."""
    buffer: Cost
    """Buffer and registers of a processor; an action is a byte in or out."""

    @model_validator(mode="after")
    def _pieces_have_bytes(self) -> Self:
        if self.buffer_bytes < self.buffer_pieces:
            raise ValueError(
                f"buffer_bytes ({self.buffer_bytes}) must not be below buffer_pieces ({self.buffer_pieces})"
            )
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> DigitalProcessor:
        """The part that a machine consists of; ``count`` processors in a PU."""
        return DigitalProcessor(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class DigitalProcessor:
    """The processors of one PU together: one resource, a task for each piece of each group of tokens.

    Timing: a group takes ceil(products * steps / multipliers) cycles, dealt to its pieces by their bytes,
    where a product of a-bit and b-bit operands takes ceil(a / operand bits) * ceil(b / operand bits)
    steps; a piece is begun when it has been fetched and the inputs of all tokens of the group are there.
    """

    name: str
    count: int
    model: DigitalProcessorModel
    clock_ghz: float

    unit = ""
    modes = ()
    capacity = 0
    readable = False

    @property
    def group_tokens(self) -> int:
        """Tokens that share one fetch."""
        return self.model.group_tokens

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It multiplies; what it multiplies with is fetched."""
        if op.family in ("linear", "attention"):
            return ""
        return f"digital processors execute linear operations and attention, not {op.kind!r}"

    def size(self, stored: Stored) -> Size:
        """It holds nothing."""
        return NO_SIZE

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Cycles of one token."""
        products = np.asarray([stored.rows * stored.columns])
        return int(self._cycles(products, stored.bits, precision.activation_bits)[0])

    def cache_size(self, nbytes: int) -> int:
        """Not offered: see ``store``.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """The products of each group of tokens with a matrix, or with the keys or values of its sequence."""
        after, bits = [value.ready for value in inputs], precision.activation_bits
        if op.family == "linear":
            assert held is not None and held.fetch is not None, "its weights are held elsewhere"
            groups = grouped(tokens, self.group_tokens, by_sequence=False)
            products = groups.total(op.rows * op.columns)
            nbytes = np.full(len(groups), -(-op.rows * op.columns * precision.weight_bits // 8))
            nothing = np.full(len(groups), -1, dtype=np.int32)
            work = _Work(groups, products, precision.weight_bits, bits, nbytes, op.columns * bits)
            ready = self._run(work, nothing, after, held.fetch, graph)
            return Value(ready, op.columns, bits, self.name)
        cached = inputs[1]
        assert cached.fetch is not None, "keys and values are held elsewhere"
        groups = grouped(tokens, self.group_tokens, by_sequence=True)
        attention = attention_work(op, tokens, inputs, groups, precision)
        width, result_bits = attention.result(op, precision)
        products = groups.total(attention.products)
        work = _Work(groups, products, attention.left_bits, bits, attention.nbytes, width * result_bits)
        others = [wire for number, wire in enumerate(after) if number != 1]
        ready = self._run(work, groups.join([cached.ready], graph), others, cached.fetch, graph)
        return Value(ready, width, result_bits, self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Not offered: its buffer keeps nothing.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Not offered: its buffer keeps nothing.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """All multipliers, with weights and activations of this precision."""
        return self._multipliers / self._steps(precision.weight_bits, precision.activation_bits)

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Multipliers, tokens of a group, and the pieces in which things come."""
        model = self.model
        return (
            Fact("units of a processor", f"{model.units} of {model.inputs} products a cycle"),
            Fact("operands", model.operand_bits, "b"),
            Fact("tokens of a group", model.group_tokens),
            Fact("piece of a fetch", self._piece_bytes, "bytes"),
            Fact("pieces at a time", model.buffer_pieces),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """Nothing: it holds no weights."""
        return Programming(0.0, 0.0)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of a product and of a byte; peaks of all multipliers, and of the bytes that they take."""
        model = self.model
        multipliers = model.units * model.inputs
        mac = model.mac.action_pj(1 / self.clock_ghz, multipliers)
        byte = model.buffer.action_pj(1 / self.clock_ghz, model.inputs)
        units, buffer = f"{self.name}.mac", f"{self.name}.buffer"
        return CostTable(
            {units: (Charge(units, mac),), f"{buffer}.byte": (Charge(buffer, byte),)},
            (
                Component(
                    units, model.mac.area_mm2, mac * multipliers * self.clock_ghz, model.mac.leakage_mw
                ),
                Component(
                    buffer,
                    model.buffer.area_mm2,
                    byte * model.inputs * self.clock_ghz,
                    model.buffer.leakage_mw,
                ),
            ),
        )

    def _run(
        self, work: _Work, fetchable: Wire, after: Sequence[Wire], fetch: Fetch, graph: GraphBuilder
    ) -> Wire:
        """(tokens,) when the products of each token's group are done.

        Args: fetchable: (groups,) what fetches wait for; after: (tokens,) the inputs.
        """
        groups, pieces = work.groups, cut(work.nbytes, self._piece_bytes)
        token = groups.token[pieces.group]
        inputs = groups.join(list(after), graph)
        fetched = fetch.bring(pieces.nbytes, token, fetchable[pieces.group], graph)
        cycles = pieces.shares(self._cycles(work.products, work.left_bits, work.right_bits))
        steps = work.products * self._steps(work.left_bits, work.right_bits)
        actions = {
            f"{self.name}.mac": pieces.parts(steps),
            f"{self.name}.buffer.byte": pieces.parts(self._buffer_bytes(work)),
        }
        resource = graph.resource(self.name, self.name)
        latency = cycles + self.model.pipeline_cycles
        tasks = graph.add(resource, cycles, latency, token, [fetched, inputs[pieces.group]], actions)
        fetch.free(tasks, pieces.group, groups.pass_[pieces.group], self.model.buffer_pieces)
        return graph.span(tasks[pieces.first], tasks[pieces.last])[groups.of]

    def _buffer_bytes(self, work: _Work) -> NDArray[Any]:
        """(groups,) bytes in and out of the buffers.

        What is fetched goes in and, once for the group, into the units; a vector of inputs is taken for all
        units at a time; results go out.
        """
        inputs = work.products * (work.right_bits / 8 / (self.count * self.model.units))
        bytes_: NDArray[Any] = 2 * work.nbytes + inputs + work.groups.total(work.result_bits) / 8
        return bytes_

    def _cycles(self, products: IntArray, left_bits: int, right_bits: int) -> IntArray:
        return -(-products * self._steps(left_bits, right_bits) // self._multipliers)

    def _steps(self, left_bits: int, right_bits: int) -> int:
        width = self.model.operand_bits
        return -(-left_bits // width) * -(-right_bits // width)

    @property
    def _multipliers(self) -> int:
        return self.count * self.model.units * self.model.inputs

    @property
    def _piece_bytes(self) -> int:
        """Of the buffers of all processors together."""
        return self.count * (self.model.buffer_bytes // self.model.buffer_pieces)

    def _no_memory(self) -> MappingError:
        return MappingError(
            f"{self.name!r} stores no run-time values: its buffer keeps nothing; name a memory instead"
        )


@dataclass(frozen=True, slots=True)
class _Work:
    """What groups of tokens are to compute.

    Args: products, nbytes: (groups,) products, and bytes that are fetched for them; left_bits, right_bits:
        of the operands; result_bits: of a token's result, one for all or (tokens,).
    """

    groups: Groups
    products: IntArray
    left_bits: int
    right_bits: int
    nbytes: IntArray
    result_bits: IntArray | int
