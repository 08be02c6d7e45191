"""Key pruners: arrays that multiply queries with the upper bits of the keys, to find those worth a product.

Source: SPRINT (MICRO 2022).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, NonNegative, Positive, Section
from archsim.errors import MappingError
from archsim.parts.facts import MachineFacts
from archsim.parts.part import NO_SIZE, Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import transfer_cycles
from archsim.workload.operations import Operation, Precision


class KeyPrunerModel(Section):
    """Arrays that hold the upper bits of the keys and compare their products with a threshold."""

    kind: Literal["key_pruner"]
    """Which kind of part this is."""
    count: Count
    """Banks of arrays in a PU; keys are interleaved over all of them."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    bank_bytes: Annotated[int, Field(ge=1, le=10**15)]
    """Bytes of a bank."""
    key_share: Annotated[float, Field(gt=0, le=1)]
    """Share of a key's bits that is stored and multiplied: the upper ones."""
    sparsity: Annotated[float, Field(ge=0, lt=1)]
    """Share of the keys that a token need not attend to, rounded down; the same for each token and head."""
    query_cycles: Annotated[int, Field(ge=1, le=10**6)]
    """Cycles in which one query is multiplied with all keys, and compared."""
    write_gb_per_s: Positive
    """Bandwidth of writing keys to a bank."""
    write_energy_pj: NonNegative
    """Writing a bit."""
    endurance_writes: Positive | None = None
    """Writes that a cell survives; without it no lifetime is told."""
    cost: Cost
    """One bank; an action is a product in memory."""

    def build(self, name: str, count: int, machine: MachineFacts) -> KeyPruner:
        """The part that a machine consists of; ``count`` banks in a PU."""
        return KeyPruner(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class KeyPruner:
    """The pruning arrays of one PU: one resource, one task a query, which takes all keys and heads at once.

    Timing: ``query_cycles`` a query; ceil(bytes * clock / bandwidth of all banks) a key that is written.
    """

    name: str
    count: int
    model: KeyPrunerModel
    clock_ghz: float

    unit = "bytes"
    modes = ()
    readable = False
    group_tokens = 1

    @property
    def capacity(self) -> int:
        """Bytes of all banks."""
        return self.count * self.model.bank_bytes

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It takes coarse scores."""
        if op.kind == "attention_scores":
            return ""
        return f"key pruners take coarse attention scores only, not {op.kind!r}"

    def size(self, stored: Stored) -> Size:
        """It holds no weights."""
        return NO_SIZE

    def interval(self, stored: Stored, precision: Precision) -> int:
        """It holds no weights."""
        return 0

    def cache_size(self, nbytes: int) -> int:
        """The upper bits of that many bytes of keys."""
        return -(-nbytes * self._share.numerator // self._share.denominator)

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """The numbers of the keys that each token keeps, in each head."""
        keys = np.asarray(tokens.keys, dtype=np.int64)
        sparsity = Fraction(str(self.model.sparsity))
        kept = keys - keys * sparsity.numerator // sparsity.denominator
        resource = graph.resource(self.name, self.name)
        products = keys * float(op.heads * op.head_size)
        after = [value.ready for value in inputs]
        cycles = self.model.query_cycles
        tasks = graph.add(resource, cycles, cycles, tokens.index, after, {f"{self.name}.product": products})
        return Value(tasks, kept * op.heads, int(keys.max()).bit_length(), self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write the upper bits of each token's key."""
        nbytes = np.broadcast_to(value.nbytes, tokens.index.shape)
        nbytes = -(-nbytes * self._share.numerator // self._share.denominator)
        cycles = transfer_cycles(nbytes, self.count * self.model.write_gb_per_s, self.clock_ghz)
        resource = graph.resource(self.name, self.name)
        counts = {f"{self.name}.write": nbytes * 8.0}
        return graph.add(resource, cycles, cycles, tokens.index, [value.ready], counts)

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Not offered: the upper bits alone are of no use elsewhere.

        Raises: MappingError: always.
        """
        raise MappingError(f"{self.name!r} holds the upper bits of keys, which other parts cannot read")

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Its products are an estimate, and do not count."""
        return 0.0

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """What it keeps, and how fast."""
        model = self.model
        return (
            Fact("keys pruned", 100 * model.sparsity, "%"),
            Fact("bits of a key", float(self._share * precision.activation_bits)),
            Fact("query", model.query_cycles, "cycles"),
            Fact("energy, writing", model.write_energy_pj, "pJ a bit"),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """Nothing: it holds no weights."""
        return Programming(0.0, 0.0)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of a product and of a bit; the peak is that of a bank full of keys at each query."""
        model, cells = self.model, f"{self.name}.cells"
        keys_bits = 8 * float(self._share)
        products = model.bank_bytes * 8 / keys_bits / model.query_cycles * self.clock_ghz
        product = model.cost.action_pj(1.0, products)
        actions: dict[str, tuple[Charge, ...]] = {
            f"{self.name}.product": (Charge(cells, product),),
            f"{self.name}.write": (Charge(cells, model.write_energy_pj),),
        }
        return CostTable(
            actions,
            (Component(cells, model.cost.area_mm2, product * products, model.cost.leakage_mw),),
            8 * model.bank_bytes,
            f"{self.name}.write",
            model.endurance_writes,
        )

    @property
    def _share(self) -> Fraction:
        return Fraction(str(self.model.key_share))
