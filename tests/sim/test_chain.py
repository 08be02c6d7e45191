"""Chains of equal layers: that few of them tell what all do, and where they must not be asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from archsim.errors import SimulationError
from archsim.graph_blocks import Copy, Edges
from archsim.hardware.loader import load_hardware
from archsim.mapping.build import map_trace
from archsim.schedule.lower import lower
from archsim.sim.chain import Chain, most_alike, start_alone
from archsim.sim.event_engine import EventEngine
from archsim.sim.fast_engine import FastEngine
from archsim.task_graph import Alike, GraphBuilder, Place, TaskGraph, Wire
from archsim.workload.trace import read_trace

AnyEngine = type[EventEngine] | type[FastEngine]
ENGINES: list[AnyEngine] = [EventEngine, FastEngine]
both = pytest.mark.parametrize("engine", ENGINES)
either_edge = pytest.mark.parametrize("from_start", [False, True])


class Stage(NamedTuple):
    """A task for each token. ``l.x`` is a resource of the layer, ``pu.x`` of its PU, ``x`` of the chip."""

    name: str
    occupancy: int
    latency: int
    servers: int = 1
    copies: int = 1
    from_start: bool = False


class Link(NamedTuple):
    """An edge that leads from each layer to the one ``ahead``, from stage to stage."""

    source: int
    target: int
    ahead: int = 1
    from_start: bool = False


End = tuple[int, int]
"""A layer, -1 for what comes before and the number of layers for what comes behind, and a task of it."""

X = Stage("l.x", 3, 3)
HEAD = (Stage("in", 1, 1),)
TAIL = (Stage("out", 1, 1),)


@dataclass(frozen=True)
class Model:
    """What comes before, layers, and what comes behind, all stage after stage.

    Layer 0 waits for what comes before, and is no part of the ``equal`` layers that follow on it; layer 2
    is copied for all behind it. Each token of a layer waits for that of the layer before.
    Args: aside: from the first stage on, what nothing waits for; before_aside: the same for the entry;
        ring: slots of a buffer around all stages; barrier: tokens wait for each other at a layer's end;
        back: slots of a buffer that the next layer frees; slower: of some layers, cycles in which the first
        stage takes longer; tail_at: the layer whose resources those behind may use, the last one or another;
        edges: by hand.
    """

    stages: tuple[Stage, ...] = (X,)
    equal: int = 12
    tokens: int = 1
    head: tuple[Stage, ...] = HEAD
    tail: tuple[Stage, ...] = TAIL
    links: tuple[Link, ...] = (Link(-1, 0),)
    aside: tuple[Stage, ...] = ()
    before_aside: tuple[tuple[Stage, ...], ...] = ()
    ring: int = 0
    barrier: bool = False
    back: int = 0
    slower: dict[int, int] = field(default_factory=dict)
    tail_at: int = -1
    pu: Callable[[int], int] = lambda number: number
    edges: tuple[tuple[End, End, dict[str, Any]], ...] = ()

    @property
    def layers(self) -> int:
        return self.equal + 1

    def build(self) -> TaskGraph:
        tokens = np.arange(self.tokens, dtype=np.int32)
        builder = GraphBuilder()
        done = self._row(builder, self.head, 0, tokens)[-1]
        for some in self.before_aside:
            self._row(builder, some, 0, tokens)
        layers: list[list[Wire]] = []
        begins = [1]
        for number in range(min(self.layers, 3)):
            begin = builder.mark()
            begins.append(builder.size)
            builder.begin_operation(f"l{number}.w", number)
            layers.append(self._layer(builder, number, layers, done, tokens))
        size = builder.size - begins[-1]
        copies = [
            Copy(self.pu(number) - self.pu(2), number - 2, _renamed(number))
            for number in range(3, self.layers)
        ]
        if copies:
            builder.repeat(begin, copies)
        builder.begin_operation("out", None)
        last = layers[-1][-1] + np.int32(size * len(copies))
        begins = [1, *range(begins[1], builder.size + 1, size)]
        self._row(builder, self.tail, self.tail_at % self.layers, tokens, last)
        for source, target, kind in self.edges:
            ends = [np.array([begins[layer + 1] + task], dtype=np.int32) for layer, task in (source, target)]
            builder.edge(*ends, **kind)
        return builder.build()

    def _layer(
        self, builder: GraphBuilder, number: int, before: list[list[Wire]], done: Wire, tokens: Wire
    ) -> list[Wire]:
        first, *rest = self.stages
        slower = self.slower.get(number, 0)
        first = first._replace(occupancy=first.occupancy + slower, latency=first.latency + slower)
        wires = self._row(builder, (first, *rest), number, tokens, None if before else done)
        for link in self.links:
            if link.ahead <= len(before):
                source = [*before, wires][-1 - link.ahead][link.source]
                builder.edge(source, wires[link.target], from_start=link.from_start)
        for stage in self.aside:
            self._row(builder, (stage,), number, tokens, wires[0])
        if self.ring:
            builder.ring(wires[-1], wires[0], self.ring)
        if self.back and before:
            builder.ring(wires[0], before[-1][-1], self.back)
        if self.barrier:
            builder.place = Place(0, self.pu(number))
            every = np.broadcast_to(wires[-1], (self.tokens, self.tokens))
            wires.append(builder.join([every], tokens))
        return wires

    def _row(
        self,
        builder: GraphBuilder,
        stages: tuple[Stage, ...],
        number: int,
        tokens: Wire,
        done: Wire | None = None,
    ) -> list[Wire]:
        wires: list[Wire] = []
        for stage in stages:
            builder.place = Place(0, self.pu(number)) if stage.name.startswith(("l.", "pu.")) else Place(0)
            name = stage.name.replace("l.", f"l{number}.").removeprefix("pu.")
            server = builder.resource(name, "p", servers=stage.servers, copies=stage.copies)
            wires.append(builder.add(server, stage.occupancy, stage.latency, tokens))
            if done is not None:
                builder.edge(done, wires[-1], from_start=stage.from_start)
            done = wires[-1]
        return wires


def _renamed(layer: int) -> Callable[[str], str]:
    """What the names of layer 2 are in another."""
    return lambda name: name.replace("l2.", f"l{layer}.")


def alone(graph: TaskGraph, engine: AnyEngine = FastEngine) -> NDArray[np.int64]:
    """A plain run of the whole graph in an empty machine."""
    run = engine(graph, inferences=1)
    run.advance(1)
    return run.last_start()


def spied(engine: AnyEngine) -> tuple[AnyEngine, list[int]]:
    """The engine, and the sizes of the graphs that it will have run."""
    sizes: list[int] = []

    class Spied(engine):  # type: ignore[valid-type,misc]  # a class that is not known before
        def __init__(self, graph: TaskGraph, **options: Any) -> None:
            sizes.append(len(graph))
            super().__init__(graph, **options)

    return Spied, sizes


def runs(graph: TaskGraph, engine: AnyEngine) -> tuple[NDArray[np.int64], list[int]]:
    """The starts, which must be those of a plain run, and the sizes of the graphs that were run for them."""
    spy, sizes = spied(engine)
    start = start_alone(graph, spy)
    np.testing.assert_array_equal(start, alone(graph, engine))
    return start, sizes


def short(graph: TaskGraph) -> list[int]:
    """What is run where four of the equal layers tell all."""
    (layers,) = graph.alike
    return [len(graph) - (layers.copies - 4) * layers.tasks]


def long(graph: TaskGraph) -> list[int]:
    """What is run where four of the equal layers do not tell the others."""
    return [*short(graph), len(graph)]


def of_layers(graph: TaskGraph, start: NDArray[np.int64]) -> NDArray[np.int64]:
    """(equal layers, tasks) of the starts."""
    (layers,) = graph.alike
    return start[layers.begin(0) : layers.begin(layers.copies)].reshape(layers.copies, -1)


# The starts are those of a plain run.


SCOPES = ["l.a", "l.b", "l.c", "pu.d", "s", "t"]


@st.composite
def rows_of_stages(
    draw: st.DrawFn, least: int, most: int, names: Sequence[str] = SCOPES
) -> tuple[Stage, ...]:
    """Stages, each waiting for the one before, some for its start alone."""
    stages = []
    for _ in range(draw(st.integers(least, most))):
        name = draw(st.sampled_from(names))
        private = name.startswith("l.")
        stages.append(
            Stage(
                name,
                draw(st.integers(0, 6)),
                draw(st.integers(0, 9)),
                draw(st.sampled_from([1, 1, 1, 2, 3])),
                draw(st.sampled_from([1, 1, 1, 2])) if private else 1,
                draw(st.sampled_from([False] * 5 + [True])),
            )
        )
    return tuple(stages)


@st.composite
def models(draw: st.DrawFn, least: int = 12, most: int = 20) -> Model:
    """Models of 12 to 20 equal layers; what comes behind may use what the last layer does."""
    shared = ["s", "t"]
    return Model(
        stages=draw(rows_of_stages(1, 4)),
        equal=draw(st.integers(least, most)),
        tokens=draw(st.integers(1, 6)),
        head=draw(rows_of_stages(1, 3, shared)),
        tail=draw(rows_of_stages(0, 2)),
        aside=draw(rows_of_stages(0, 1)),
        before_aside=tuple(draw(st.lists(rows_of_stages(1, 3, shared), max_size=2))),
        ring=draw(st.sampled_from([0, 0, 1, 2, 7])),
        barrier=draw(st.booleans()),
        pu=draw(st.sampled_from([lambda number: number, lambda _: 0, lambda number: number % 2])),
    )


@settings(max_examples=150)
@given(model=models())
def test_layers_start_as_in_a_plain_run(model: Model) -> None:
    graph = model.build()
    whole = alone(graph)
    for engine in ENGINES:
        np.testing.assert_array_equal(start_alone(graph, engine), whole)
    np.testing.assert_array_equal(alone(graph, EventEngine), whole)


def test_random_models_are_told_by_few_layers_and_are_not() -> None:
    # or else the property above says little
    seen = set()

    @settings(max_examples=60)
    @given(model=models())
    def look(model: Model) -> None:
        graph = model.build()
        _, sizes = runs(graph, FastEngine)
        seen.add("short" if sizes == short(graph) else "long" if sizes == long(graph) else "no chain")

    look()
    assert {"short", "long"} <= seen


@settings(max_examples=100)
@given(data=st.data())
def test_any_graph_starts_as_in_a_plain_run(
    data: st.DataObject, random_graphs: st.SearchStrategy[TaskGraph]
) -> None:
    graph = data.draw(random_graphs)
    for engine in ENGINES:
        start, sizes = runs(graph, engine)
        assert (sizes, len(start)) == ([len(graph)], len(graph))


# The real machines.


def lowered(root: Path, hardware: str, trace: str, overrides: Sequence[str] = ()) -> TaskGraph:
    machine = load_hardware(root / f"hwconfigs/{hardware}.yaml", overrides)
    workload = read_trace(root / f"workloads/{trace}.trace")
    return lower(machine, workload, map_trace(machine, workload))


@pytest.mark.parametrize("rate", ["0.05", "0.3"])
def test_bert_large_on_hyflexpim_is_told_by_four_layers(root: Path, rate: str) -> None:
    graph = lowered(root, "hyflexpim", "bert_large", [f"mapping.slc_rate={rate}"])
    # of 24 layers all but the first are equal
    (layers,) = graph.alike
    assert layers.copies == 23
    _, sizes = runs(graph, FastEngine)
    assert sizes == [len(graph) - 19 * layers.tasks] == short(graph)


def test_both_engines_tell_bert_large_from_four_layers(root: Path) -> None:
    graph = lowered(root, "hyflexpim", "bert_large")
    spy, sizes = spied(EventEngine)
    np.testing.assert_array_equal(start_alone(graph, spy), alone(graph))
    assert sizes == short(graph)


@pytest.mark.parametrize("hardware", ["asadi_int8", "flare"])
def test_bert_large_on_other_machines_is_told_by_four_layers(root: Path, hardware: str) -> None:
    graph = lowered(root, hardware, "bert_large")
    assert runs(graph, FastEngine)[1] == short(graph)


@pytest.mark.parametrize(
    ("hardware", "trace"),
    [
        # four stretches of five equal layers
        ("asadi", "bert_large"),
        # of 12 layers 11 are equal
        ("hyflexpim", "bert_base"),
        ("flare", "vit_base"),
        # inferences hand on places where they store: each layer leads behind the last one
        ("clipformer", "bert_large"),
        # decoding layers wait for what prefilling ones have stored
        ("hyflexpim", "gpt2_decode"),
        # layers that are not on PUs of their own are not copied
        ("sprint", "bert_base"),
    ],
)
def test_on_other_machines_the_whole_graph_is_run_once(root: Path, hardware: str, trace: str) -> None:
    graph = lowered(root, hardware, trace)
    assert runs(graph, FastEngine)[1] == [len(graph)]


# Where few layers are enough.


@both
def test_four_layers_tell_all_where_they_are_passed_one_by_one(engine: AnyEngine) -> None:
    graph = Model().build()
    # entry, one before, layers 0 to 12, one behind, exit; of 12 equal ones 8 are left out
    assert len(graph) == 17
    start, sizes = runs(graph, engine)
    assert sizes == [17 - 8]
    # from 1 on every 3 cycles, and after the 13th, at 1 + 13 * 3, one cycle more
    assert start.tolist() == [0, 0, *range(1, 40, 3), 40, 41]


@both
@pytest.mark.parametrize(("equal", "few"), [(5, False), (11, False), (12, True), (40, True)])
def test_four_layers_are_tried_if_there_are_at_least_twelve(engine: AnyEngine, equal: int, few: bool) -> None:
    graph = Model(equal=equal).build()
    assert Chain.of(graph) is not None
    assert runs(graph, engine)[1] == (short(graph) if few else [len(graph)])


@both
@pytest.mark.parametrize(("tokens", "few"), [(2, True), (3, False)])
def test_four_layers_tell_all_if_the_third_begins_when_the_first_is_over(
    engine: AnyEngine, tokens: int, few: bool
) -> None:
    # Of a layer each token takes 2 cycles: token t in layer n from 1 + 2 n + 2 t. The first of the equal
    # ones, n = 1, is over at 3 + 2 tokens, and the third begins at 7: of two tokens just then.
    graph = Model((Stage("l.x", 2, 2),), tokens=tokens).build()
    start, sizes = runs(graph, engine)
    assert sizes == (short(graph) if few else long(graph))
    number, token = np.ogrid[1:13, :tokens]
    assert of_layers(graph, start).tolist() == (1 + 2 * number + 2 * token).tolist()


@both
def test_tokens_that_wait_for_each_other_at_the_end_of_a_layer_keep_layers_apart(engine: AnyEngine) -> None:
    # six tokens of 2 cycles each; head tokens 1 cycle apart are all there by then: layer n from 1 + 12 n
    graph = Model((Stage("l.x", 2, 2),), tokens=6, barrier=True).build()
    start, sizes = runs(graph, engine)
    assert sizes == short(graph)
    assert of_layers(graph, start)[:, 0].tolist() == list(range(13, 1 + 12 * 13, 12))


@both
@pytest.mark.parametrize(
    ("stages", "aside", "few"),
    [
        # 2 cycles from layer to layer, the third 4 cycles after the first: that has released its server
        ((Stage("l.x", 4, 2),), (), True),
        ((Stage("l.x", 5, 2),), (), False),
        # that has finished what nothing waits for, which starts with its end: 2 + 2 or 2 + 3 cycles
        ((Stage("l.x", 1, 2),), (Stage("l.y", 1, 2),), True),
        ((Stage("l.x", 1, 2),), (Stage("l.y", 1, 3),), False),
    ],
)
def test_a_layer_is_over_when_all_is_released_and_finished(
    engine: AnyEngine, stages: tuple[Stage, ...], aside: tuple[Stage, ...], few: bool
) -> None:
    graph = Model(stages, aside=aside).build()
    start, sizes = runs(graph, engine)
    assert sizes == (short(graph) if few else long(graph))
    assert of_layers(graph, start)[:, 0].tolist() == list(range(3, 27, 2))


@both
@pytest.mark.parametrize(("cycles", "few"), [(10, True), (11, False)])
def test_four_layers_tell_all_if_the_third_begins_when_all_before_is_over(
    engine: AnyEngine, cycles: int, few: bool
) -> None:
    # One of two servers is held from 0 on by what nothing waits for, so that layers have the other one:
    # layer n at 1 + 3 n, the third of the equal ones, n = 3, at 10.
    graph = Model(
        (Stage("s", 3, 3, servers=2),), before_aside=((Stage("s", cycles, cycles, servers=2),),)
    ).build()
    start, sizes = runs(graph, engine)
    assert sizes == (short(graph) if few else long(graph))
    assert of_layers(graph, start)[:, 0].tolist() == list(range(4, 40, 3))


@both
@pytest.mark.parametrize(("cycles", "few"), [(6, True), (7, False)])
def test_what_queues_up_before_the_layers_must_be_gone_in_the_first_of_them(
    engine: AnyEngine, cycles: int, few: bool
) -> None:
    # Layer n ends at 4 + 3 n, with one cycle of a shared server for what nothing waits for. That server is
    # held until 6 or 7: layer 0 has it from then on, and layer 1 wants it at 7, and has it then or at 8.
    # In layers 2 and 3, at 10 and at 13, nothing is to be seen of it.
    graph = Model(aside=(Stage("s", 1, 1),), before_aside=((Stage("s", cycles, cycles),),)).build()
    start, sizes = runs(graph, engine)
    assert sizes == (short(graph) if few else long(graph))
    assert of_layers(graph, start)[:3, 1].tolist() == [7 if few else 8, 10, 13]


@both
def test_two_layers_may_be_alike_by_chance(engine: AnyEngine) -> None:
    # Layers begin at 1 + 3 n, each with a cycle of a shared server for what nothing waits for. That server is
    # held from 2 to 5 and from 6 to 8, so that layers 1 and 2 have it a cycle after their begin, at 5 and at
    # 8; layers 0 and 3 at 1 and at 10, when all before is over, and all behind at their begin.
    before = (Stage("g", 2, 2), Stage("s", 3, 3), Stage("g", 1, 1), Stage("s", 2, 2))
    graph = Model(aside=(Stage("s", 1, 1, from_start=True),), before_aside=(before,)).build()
    start, sizes = runs(graph, engine)
    assert sizes == long(graph)
    assert of_layers(graph, start)[:, 0].tolist() == list(range(4, 40, 3))
    assert of_layers(graph, start)[:, 1].tolist() == [5, 8, *range(10, 40, 3)]


@both
def test_three_layers_may_be_alike_by_chance(engine: AnyEngine) -> None:
    # A server is held from 0 to 10, and after one cycle for 9, three times: the layers, which want it for a
    # cycle every 3, have it at 10, 20, 30 and 40. Then it is theirs: 43, 46, ... The first equal layers, at
    # 20, 30 and 40, are alike, and all before is over at 40; the fourth is not 10 cycles behind the third.
    gap, hold = Stage("g", 1, 1), Stage("s", 9, 9)
    before = (Stage("s", 10, 10), gap, hold, gap, hold, gap, hold)
    model = Model((Stage("s", 1, 1), Stage("l.x", 2, 2)), before_aside=(before,))
    graph = model.build()
    start, sizes = runs(graph, engine)
    assert sizes == long(graph)
    assert of_layers(graph, start)[:, 0].tolist() == [20, 30, *range(40, 40 + 3 * 10, 3)]
    # a layer before all that waits for nothing
    free = replace(model, before_aside=()).build()
    assert runs(free, engine)[1] == short(free)


@both
@pytest.mark.parametrize(
    ("slower", "few"), [({0: 5}, True), ({1: 5}, False), ({2: 5}, False), ({1: 5, 2: 5}, True)]
)
def test_all_equal_layers_have_to_be_passed_alike(
    engine: AnyEngine, slower: dict[int, int], few: bool
) -> None:
    # layers are 3 cycles apart, or 8; layer 2 is what those behind it are copies of, and layer 0 none of them
    graph = Model(slower=slower).build()
    start, sizes = runs(graph, engine)
    assert sizes == (short(graph) if few else [len(graph)])
    cycles = [3 + slower.get(min(number, 2), 0) for number in range(13)]
    assert of_layers(graph, start)[:, 0].tolist() == [1 + sum(cycles[:number]) for number in range(1, 13)]


BRIEF = Stage("l.x", 0, 0, from_start=True)
"""On the server of a layer, if it stands behind the layers."""


@both
@pytest.mark.parametrize(("layer", "begins"), [(12, 29), (11, 27), (10, 25), (5, 25), (0, 25)])
def test_what_comes_behind_may_share_servers_with_the_last_layers(
    engine: AnyEngine, layer: int, begins: int
) -> None:
    # Layer n, at 1 + 2 n, holds its server for 4 cycles, but its result is there after 2. What comes behind
    # is ready when the last layer begins, at 1 + 2 * 12 = 25. It waits for that layer's server until 29, for
    # that of the layer before, held from 23 on, until 27, and for others not at all.
    graph = Model((Stage("l.x", 4, 2),), tail=(BRIEF,), tail_at=layer).build()
    start, sizes = runs(graph, engine)
    assert sizes == short(graph)
    assert start[-2] == begins


@both
@pytest.mark.parametrize("layer", [1, 2, 3, 4])
def test_what_shares_servers_with_the_first_layers_is_run_behind_all_of_them(
    engine: AnyEngine, layer: int
) -> None:
    # as above: that of layer 4 is free since 1 + 2 * 4 + 4 = 13. In the shortened graph the last layers would
    # have the servers of the first ones.
    graph = Model((Stage("l.x", 4, 2),), tail=(BRIEF,), tail_at=layer).build()
    start, sizes = runs(graph, engine)
    assert sizes == [len(graph)]
    assert start[-2] == 25


@both
def test_layers_of_other_servers_are_run_as_they_are(engine: AnyEngine) -> None:
    # the server of a layer in the middle is a double one
    graph = Model((Stage("l.x", 3, 3),)).build()
    (layers,) = graph.alike
    double = int(graph.resource[layers.begin(5)])
    servers = [each._replace(servers=1 + (number == double)) for number, each in enumerate(graph.resources)]
    assert runs(replace(graph, resources=tuple(servers)), engine)[1] == [len(graph)]
    assert runs(graph, engine)[1] == short(graph)


@both
def test_layers_that_wait_for_each_other_are_an_error(engine: AnyEngine) -> None:
    # a task that waits for the one behind it
    stages = (X, Stage("l.y", 1, 1))
    graph = Model(stages, links=(Link(-1, 0), Link(1, 0, ahead=0))).build()
    with pytest.raises(SimulationError) as error:
        start_alone(graph, engine)
    with pytest.raises(SimulationError, match="can never start") as plain:
        alone(graph, engine)
    assert str(error.value) == str(plain.value)


# What is a chain.


def edge(source: End, target: End, **kind: Any) -> Model:
    return Model(edges=((source, target, kind),))


BEFORE, FIRST, SECOND, THIRD, LAST, BEHIND = (-1, 0), (1, 0), (2, 0), (3, 0), (12, 0), (13, 0)
"""The task before the layers, those of the first, second, third and last equal ones, and the one behind."""


def test_the_most_tasks_are_in_the_chain() -> None:
    graph = Model().build()
    # entry, the one before, layer 0; 12 equal layers of one task
    assert graph.alike == (Alike(first=3, tasks=1, copies=12),)
    chain = Chain.of(graph)
    assert chain is not None
    assert (chain.graph, chain.layers) == (graph, graph.alike[0])
    # of 12, of 3 * 6 and of 2 * 8 tasks
    some = (Alike(1, 1, 12), Alike(20, 3, 6), Alike(50, 2, 8))
    assert most_alike(replace(graph, alike=some)) == some[1]
    assert most_alike(replace(graph, alike=())) is None


def test_graphs_without_equal_layers_are_no_chain() -> None:
    graph = Model(equal=2).build()
    assert graph.alike == ()
    assert Chain.of(graph) is None


@pytest.mark.parametrize(("equal", "is_one"), [(3, False), (4, False), (5, True), (6, True)])
def test_a_chain_has_more_than_four_layers(equal: int, is_one: bool) -> None:
    assert (Chain.of(Model(equal=equal).build()) is not None) == is_one


@either_edge
@pytest.mark.parametrize(
    ("source", "target", "is_one"),
    [
        (BEFORE, FIRST, True),
        (BEFORE, SECOND, False),
        (BEFORE, LAST, False),
        (BEFORE, BEHIND, False),
        # of one layer alone: it is like no other then
        (FIRST, SECOND, False),
        ((5, 0), (6, 0), False),
        ((7, 0), (6, 0), False),
        ((5, 0), (7, 0), False),
        (FIRST, THIRD, False),
        (FIRST, LAST, False),
        (FIRST, BEHIND, False),
        (FIRST, BEFORE, False),
        (LAST, BEHIND, True),
        (LAST, (11, 0), False),
        (LAST, BEFORE, False),
        (BEHIND, LAST, False),
        (BEHIND, SECOND, False),
        (BEHIND, BEFORE, False),
    ],
)
def test_edges_lead_on_to_the_next_layer_alone(
    source: End, target: End, is_one: bool, from_start: bool
) -> None:
    graph = edge(source, target, from_start=from_start).build()
    assert (Chain.of(graph) is not None) == is_one


@either_edge
@pytest.mark.parametrize(
    ("source", "target", "is_one"),
    [
        (BEFORE, BEFORE, True),
        (BEFORE, FIRST, False),
        (FIRST, FIRST, False),
        (FIRST, SECOND, False),
        (FIRST, BEFORE, False),
        (LAST, LAST, False),
        (LAST, BEHIND, False),
        (BEHIND, BEHIND, True),
        (BEHIND, LAST, False),
        (BEHIND, BEFORE, False),
    ],
)
def test_edges_to_later_inferences_stay_in_their_layer(
    source: End, target: End, is_one: bool, from_start: bool
) -> None:
    graph = edge(source, target, from_start=from_start, distance=1).build()
    assert (Chain.of(graph) is not None) == is_one


@pytest.mark.parametrize(
    ("options", "is_one"),
    [
        ({}, True),
        ({"links": (Link(-1, 0), Link(-1, 0, from_start=True))}, True),
        ({"links": (Link(-1, 0), Link(-1, 0, ahead=2))}, False),
        ({"links": (Link(-1, 0), Link(-1, 0, ahead=2, from_start=True))}, False),
        # tokens wait for slots that their own layer frees, or the next one; of one token, of one and more
        # slots, it is that of an inference before
        ({"ring": 2, "tokens": 5}, True),
        ({"ring": 9, "tokens": 5}, True),
        ({"back": 2, "tokens": 5}, False),
        ({"back": 5, "tokens": 5}, False),
        ({"back": 1}, False),
        ({"barrier": True, "tokens": 5}, True),
        # what nothing waits for leads to the exit
        ({"aside": (X,), "before_aside": ((X,),)}, True),
    ],
)
def test_all_layers_lead_on_to_the_next_one_alone(options: dict[str, Any], is_one: bool) -> None:
    assert (Chain.of(Model(**options).build()) is not None) == is_one


@pytest.mark.parametrize(
    ("pu", "is_one"),
    [
        (lambda number: number, True),
        (lambda number: 0, True),
        # from one to the other and back: no layer shares with the next
        (lambda number: number % 2, True),
        (lambda number: number % 3, True),
        # layers 2 and 3, 4 and 5, ... or 1 and 2, 3 and 4, ... on one PU
        (lambda number: number // 2, False),
        (lambda number: (number + 1) // 2, False),
        # two neighbours, or the last two, on one PU, or just the first one behind
        (lambda number: 6 if number == 7 else number, False),
        (lambda number: min(number, 11), False),
        (lambda number: min(number, 12), True),
        (lambda number: max(number, 2), False),
        # layer 0 is none of the equal ones
        (lambda number: max(number, 1), True),
    ],
)
def test_layers_share_queues_with_the_next_alike(pu: Callable[[int], int], is_one: bool) -> None:
    # each has a resource of the PU besides one of its own
    graph = Model((X, Stage("pu.d", 1, 1)), pu=pu).build()
    assert (Chain.of(graph) is not None) == is_one
    runs(graph, FastEngine)


@pytest.mark.parametrize(
    ("stage", "tokens", "is_one"),
    [
        # Of the layer: each is dealt from its first copy on.
        (Stage("l.x", 1, 1, copies=2), 3, True),
        # Of all: layer 1 has the turns after layer 0, but copies of layer 2 all have its turns. One token to
        # two copies: turn 1, then 2, 2, ...
        (Stage("x", 1, 1, copies=2), 1, False),
        (Stage("x", 1, 1, copies=2), 3, False),
        # two, or four, tokens begin with the first copy again
        (Stage("x", 1, 1, copies=2), 2, True),
        (Stage("x", 1, 1, copies=2), 4, True),
        (Stage("x", 1, 1, copies=3), 2, False),
        # one queue for all, with two servers
        (Stage("x", 1, 1, servers=2), 1, True),
    ],
)
def test_layers_are_dealt_to_copies_alike(stage: Stage, tokens: int, is_one: bool) -> None:
    graph = Model((stage,), tokens=tokens).build()
    assert (Chain.of(graph) is not None) == is_one
    runs(graph, FastEngine)


@both
@pytest.mark.parametrize("equal", [12, 13])
def test_layers_may_take_turns_at_the_copies_of_a_resource(engine: AnyEngine, equal: int) -> None:
    # No builder deals like this. Layer n, at 1 + 2 n, holds one of two copies for 4 cycles, while the next
    # takes the other. The last one that is run, whichever it is, may not be dealt to that of the one before.
    graph = Model((Stage("x", 4, 2, copies=2),), equal=equal).build()
    turn = graph.turn.copy()
    turn[2:-2] = np.arange(equal + 1)
    graph = replace(graph, turn=turn)
    assert Chain.of(graph) is not None
    start, sizes = runs(graph, engine)
    assert sizes == short(graph)
    assert start[2:-2].tolist() == list(range(1, 2 * equal + 2, 2))


def test_a_chain_stays_one_when_it_is_asked_for_again() -> None:
    for model, is_one in ((Model(), True), (edge(FIRST, THIRD), False)):
        graph = model.build()
        assert [Chain.of(graph) is not None for _ in range(2)] == [is_one] * 2


# Fewer layers.


def names(graph: TaskGraph) -> list[str]:
    """(tasks,) of the resources."""
    return ["" if number < 0 else graph.resources[number].name for number in graph.resource]


def operations(graph: TaskGraph) -> list[str]:
    return [graph.operations[number] for number in graph.operation]


def assert_same_edges(some: Edges, others: Edges) -> None:
    for column in ("first", "target", "distance"):
        np.testing.assert_array_equal(getattr(some, column), getattr(others, column))


def columns(graph: TaskGraph) -> list[NDArray[np.int32]]:
    return [
        graph.resource,
        graph.turn,
        graph.occupancy,
        graph.latency,
        graph.operation,
        graph.token,
        graph.pu,
    ]


@settings(max_examples=150)
@given(model=models(least=5, most=15))
def test_the_shortened_graph_is_that_of_a_model_with_four_equal_layers(model: Model) -> None:
    graph, direct = model.build(), replace(model, equal=4).build()
    chain = Chain.of(graph)
    if chain is None or (direct_chain := most_alike(direct)) is None:
        return
    before = [column.copy() for column in columns(graph)]
    some = chain.shortened()

    assert len(some) == len(direct) == len(graph) - (model.equal - 4) * chain.layers.tasks
    for column in ("turn", "occupancy", "latency", "token"):
        np.testing.assert_array_equal(getattr(some, column), getattr(direct, column))
    assert_same_edges(some.on_finish, direct.on_finish)
    assert_same_edges(some.on_start, direct.on_start)
    # the same resources; but what is behind may have one of its own in the place of the last layer
    used = {stage.name for stage in (*model.stages, *model.aside)}
    own = any("." in stage.name and stage.name not in used for stage in model.tail)
    behind = direct_chain.begin(4) if own else len(direct)
    assert names(some)[:behind] == names(direct)[:behind]
    # the last layer is still the last one by operation and PU
    head = direct_chain.begin(3)
    last = slice(chain.layers.begin(model.equal - 1), len(graph))
    assert operations(some) == operations(direct)[:head] + operations(graph)[last]
    np.testing.assert_array_equal(some.pu, [*direct.pu[:head], *graph.pu[last]])
    assert (some.actions, some.alike) == ((), ())
    for engine in ENGINES:
        np.testing.assert_array_equal(alone(some, engine), alone(direct, engine))
    # and the graph is as it was
    for now, then in zip(columns(graph), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_five_equal_layers_without_one() -> None:
    # entry 0, before 1, one that nothing waits for 2, layer 0 3, five equal ones 4 to 8, behind 9, exit 10
    model = Model(equal=5, before_aside=((Stage("g", 4, 4),),), edges=((BEFORE, BEFORE, {"distance": 2}),))
    graph = model.build()
    assert len(graph) == 11
    chain = Chain.of(graph)
    assert chain is not None
    some = chain.shortened()
    assert len(some) == 10
    assert names(some)[3:9] == [f"chip0.pu{number}.l{number}.x" for number in range(5)] + ["chip0.out"]
    assert operations(some)[3:] == ["l0.w", "l1.w", "l2.w", "l3.w", "l5.w", "out", "exit"]
    assert some.pu.tolist()[3:8] == [0, 1, 2, 3, 5]
    source = np.repeat(np.arange(10), np.diff(some.on_finish.first))
    rows = zip(source.tolist(), some.on_finish.target.tolist(), some.on_finish.distance.tolist(), strict=True)
    assert sorted(rows) == [
        (0, 1, 0),
        (0, 2, 0),
        (0, 9, 0),
        (1, 1, 2),
        (1, 3, 0),
        (2, 9, 0),
        *((task, task + 1, 0) for task in range(3, 9)),
    ]


# From layer to layer at least.


@pytest.mark.parametrize(
    ("links", "start", "least"),
    [
        # x from 10 on with its result after 7, y from 20 on with its result after 2; what leads from y to
        # the next x: 20 + 2 - 10
        ([Link(1, 0)], (10, 20), 12),
        # from x to the next x, after all that it takes: 7; from the start of y to that: 20 - 10
        ([Link(0, 0)], (10, 20), 7),
        ([Link(0, 0), Link(1, 0, from_start=True)], (10, 20), 10),
        # and where both come from y, its finish
        ([Link(1, 0), Link(1, 0, from_start=True)], (10, 20), 12),
        # from y to the next y
        ([Link(0, 0), Link(1, 1)], (10, 20), 7),
        ([Link(1, 1)], (10, 20), 2),
        # from the start of x to the next y: 10 - 20, and from its finish 10 + 7 - 20, both before it
        ([Link(0, 1, from_start=True)], (10, 20), 0),
        ([Link(0, 1)], (10, 20), 0),
        # the same with y at 14: 10 + 7 - 14
        ([Link(0, 1), Link(0, 1, from_start=True)], (10, 14), 3),
        # starts before cycle 0 are as good
        ([Link(1, 0)], (-10, 20), 32),
    ],
)
def test_a_layer_is_as_far_behind_as_edges_ask_for(
    links: list[Link], start: tuple[int, int], least: int
) -> None:
    # layers that hold x for 3 cycles, which asks for nothing here
    graph = Model((Stage("l.x", 3, 7), Stage("l.y", 2, 2)), links=tuple(links), tail=()).build()
    # entry, before, and layer 0 before that: what leads to it, or into the same layer, does not count
    starts = np.array([0, 0, -500, 1000, *start], dtype=np.int64)
    layers = most_alike(graph)
    assert layers is not None
    assert layers.begin(1) == len(starts)
    assert Chain(graph, layers).least_step(starts) == least
    # nor does what is known of later tasks
    assert Chain(graph, layers).least_step(np.append(starts, [10**6, -(10**6)])) == least


def test_a_layer_is_as_far_behind_as_the_latest_token_asks_for() -> None:
    # tokens begin at 10, 11 and 15 and take 4 cycles each; with a barrier all wait for the last one, whose
    # end at 19 the joins are: the first token's task is 19 - 10 = 9 cycles behind, without barrier 4
    stages = (Stage("l.x", 4, 4),)
    for barrier, begins, least in ((False, [10, 11, 15], 4), (True, [10, 11, 15, 19, 19, 19], 9)):
        graph = Model(stages, tokens=3, barrier=barrier).build()
        chain = Chain.of(graph)
        assert chain is not None
        before = [0] * chain.layers.begin(0)
        assert chain.least_step(np.array(before + begins, dtype=np.int64)) == least


@both
@pytest.mark.parametrize(
    "model", [Model(), Model((Stage("l.x", 2, 5), Stage("s", 1, 1)), tokens=3, barrier=True)]
)
def test_layers_alone_are_no_nearer_than_edges_ask_for(engine: AnyEngine, model: Model) -> None:
    graph = model.build()
    chain = Chain.of(graph)
    assert chain is not None
    start = alone(graph, engine)
    layers = of_layers(graph, start)
    # where nothing else is in the way, just as far
    assert (np.diff(layers, axis=0) == chain.least_step(start)).all()
