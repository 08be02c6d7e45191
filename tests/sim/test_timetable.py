"""Timetables that can be kept: beside a plain model of how tasks are put off, by count, and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from archsim.sim import timetable
from archsim.sim.engine import Queues
from archsim.sim.fast_engine import put_off
from archsim.sim.timetable import can_be_kept, crossings
from archsim.task_graph import JOIN, GraphBuilder, TaskGraph

ONE = np.zeros(1, dtype=np.int32)


def builder_of(*tasks: tuple[str, int, int]) -> GraphBuilder:
    """One task each: its server, occupancy and latency. They are 1, 2, ..., and 0 is the entry."""
    builder = GraphBuilder()
    for name, occupancy, latency in tasks:
        builder.add(builder.resource(name, "p"), occupancy, latency, ONE)
    return builder


def lead(
    builder: GraphBuilder, source: int, target: int, distance: int = 0, *, from_start: bool = False
) -> None:
    """Let a task wait for another."""
    ends = [np.array([task], dtype=np.int32) for task in (source, target)]
    builder.edge(*ends, from_start=from_start, distance=distance)


def on_one(occupancies: list[int], servers: int = 1, copies: int = 1) -> TaskGraph:
    """Tasks that wait for nothing but their server."""
    builder = GraphBuilder()
    server = builder.resource("s", "p", servers=servers, copies=copies)
    for cycles in occupancies:
        builder.add(server, cycles, cycles, ONE)
    return builder.build()


def kept(graph: TaskGraph, starts: list[int], period: int) -> list[int] | None:
    """The starts of all tasks but the entry and the exit, put off; None where these cannot be kept.

    The entry is at 0, and the exit after all that it waits for.
    """
    last = max(start + int(cycles) for start, cycles in zip(starts, graph.latency[1:], strict=False))
    start = np.array([0, *starts, last], dtype=np.int64)
    if not can_be_kept(graph, start, period):
        return None
    assert start[0] == 0
    assert start[-1] >= (start + graph.latency)[1:-1].max()
    found: list[int] = start[1:-1].tolist()
    return found


# A plain model, and counts.


def edges(graph: TaskGraph) -> Iterator[tuple[int, int, int, int]]:
    """Each edge: source, target, cycles from the source's start on, distance."""
    for some, on_finish in ((graph.on_finish, True), (graph.on_start, False)):
        for source in range(len(graph)):
            after = int(graph.latency[source]) if on_finish else 0
            for edge in range(some.first[source], some.first[source + 1]):
                yield source, int(some.target[edge]), after, int(some.distance[edge])


def queues_of(graph: TaskGraph) -> dict[tuple[int, int], list[int]]:
    """The tasks in each queue of each resource."""
    queues: dict[tuple[int, int], list[int]] = {}
    for task, resource in enumerate(graph.resource.tolist()):
        if resource != JOIN:
            copy = int(graph.turn[task]) % graph.resources[resource].copies
            queues.setdefault((resource, copy), []).append(task)
    return queues


def keep_by_rounds(graph: TaskGraph, plan: list[int], period: int, rounds: int = 500) -> list[int] | None:
    """Serve all queues for two periods, then put off what waits, until nothing moves; None if it always does.

    In the second period the tasks of the next inference meet what the first one has left.
    """
    start, every = plan.copy(), list(edges(graph))
    for _ in range(rounds):
        before = start.copy()
        for (resource, _), tasks in queues_of(graph).items():
            free = [-(10**9)] * graph.resources[resource].servers
            for number in range(2):
                for task in sorted(tasks, key=lambda task: (plan[task] % period, task)):
                    # of the inference that is so many periods ahead that the task is planned for this one
                    shift = (number - plan[task] // period) * period
                    ready = start[task] + shift
                    server = next(
                        (s for s, cycle in enumerate(free) if cycle <= ready), free.index(min(free))
                    )
                    begins = max(ready, free[server])
                    free[server] = begins + int(graph.occupancy[task])
                    start[task] = begins - shift
        for source, target, after, distance in every:
            start[target] = max(start[target], start[source] + after - distance * period)
        if start == before:
            return start
    return None


@st.composite
def planned(draw: st.DrawFn, graphs: st.SearchStrategy[TaskGraph]) -> tuple[TaskGraph, list[int], int]:
    """A graph of single servers, starts after what tasks wait for, and a period.

    No queue is busier than the period.
    """
    graph = draw(graphs)
    copied = not draw(st.integers(0, 3))  # inferences go to other copies in turn, mostly
    resources = tuple(
        each._replace(servers=1, copies=each.copies if copied else 1) for each in graph.resources
    )
    graph = replace(graph, resources=resources)
    period = max(1, int(np.ceil(Queues.of(graph).bound_cycles()))) + draw(st.integers(0, 4))
    anywhere = st.lists(st.integers(-10, 20), min_size=len(graph), max_size=len(graph))
    start = np.array(draw(anywhere), dtype=np.int64)
    if not put_off(graph, start, period):
        start[:] = 0  # what waits for itself sooner than it may
    found: list[int] = start.tolist()
    return graph, found, period


def obeys(graph: TaskGraph, start: list[int], period: int) -> bool:
    """Whether all is after what it waits for."""
    return all(
        start[target] >= start[source] + after - distance * period
        for source, target, after, distance in edges(graph)
    )


def most_at_once(graph: TaskGraph, start: list[int], tasks: list[int], period: int) -> int:
    """How many of some tasks, of whatever inferences, are held in a cycle at most."""
    held = [0] * period
    for task in tasks:
        for cycle in range(start[task], start[task] + int(graph.occupancy[task])):
            held[cycle % period] += 1
    return max(held)


@settings(max_examples=500)
@given(data=st.data())
def test_a_timetable_is_kept_as_by_rounds(
    data: st.DataObject, random_graphs: st.SearchStrategy[TaskGraph]
) -> None:
    graph, plan, period = data.draw(planned(random_graphs))
    if not obeys(graph, plan, period):
        return
    start = np.array(plan, dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timetable, "_MOST_SERVED", 10_000)  # as long as it takes
        can = can_be_kept(graph, start, period)
    if Queues.of(graph).shifts(1).any():
        assert not can
        return
    expected = keep_by_rounds(graph, plan, period)
    assert can == (expected is not None)
    if expected is not None:
        assert start.tolist() == expected


@settings(max_examples=500)
@given(data=st.data())
def test_what_can_be_kept_obeys_edges_and_servers(
    data: st.DataObject, random_graphs: st.SearchStrategy[TaskGraph]
) -> None:
    graph, plan, period = data.draw(planned(random_graphs))
    start = np.array(plan, dtype=np.int64)
    if not obeys(graph, plan, period) or not can_be_kept(graph, start, period):
        return
    after: list[int] = start.tolist()
    assert all(one >= other for one, other in zip(after, plan, strict=True))
    assert obeys(graph, after, period)
    for (resource, _), tasks in queues_of(graph).items():
        assert most_at_once(graph, after, tasks, period) <= graph.resources[resource].servers


@settings(max_examples=2000, phases=[Phase.generate])
@given(data=st.data(), servers=st.integers(2, 4), period=st.integers(2, 8))
def test_what_can_be_kept_obeys_several_servers(data: st.DataObject, servers: int, period: int) -> None:
    tasks = st.lists(
        st.tuples(st.integers(0, period - 1), st.integers(0, 2 * period)), min_size=1, max_size=5
    )
    starts, cycles = (list(each) for each in zip(*data.draw(tasks), strict=True))
    if sum(cycles) > servers * period:
        return
    graph = on_one(cycles, servers)
    after = kept(graph, starts, period)
    if after is not None:
        assert most_at_once(graph, [0, *after], list(range(1, 1 + len(after))), period) <= servers


# By hand: where tasks start and whether that can be kept.


def test_two_that_overlap_by_two_cycles() -> None:
    # the server is held from 0 to 6: the second one, planned for 4, is put off by 2
    assert kept(on_one([6, 3]), [0, 4], 20) == [0, 6]


def test_who_is_planned_first_is_served_first() -> None:
    # in the order of the plan, not of the tasks: from 4 to 7, then from 7
    assert kept(on_one([6, 3]), [5, 4], 20) == [7, 4]
    # and in that of the tasks where they are planned for the same cycle
    assert kept(on_one([6, 3]), [4, 4], 20) == [4, 10]


def test_two_that_meet_across_the_end_of_the_period() -> None:
    # the second one holds the server from 7 to 12, cycle 2 of the next period: there the first one is put off
    # from 10 to 12, for 4 cycles, so that the second one finds the server free at 17
    assert kept(on_one([4, 5]), [0, 7], 10) == [2, 7]
    # from 2 to 8 it does not: 6 + 4 = 10 cycles, one after the other without end
    assert kept(on_one([6, 4]), [0, 8], 10) == [2, 8]


def test_two_of_inferences_that_are_apart() -> None:
    # planned for cycle 3 of periods 0 and 2: the second one is that of the inference two before
    assert kept(on_one([4, 3]), [3, 23], 10) == [3, 27]
    # and for cycle 1 of the period before the first one, where it is served first, from 1 to 5
    assert kept(on_one([4, 3]), [-9, 3], 10) == [-9, 5]


def test_a_server_that_is_busy_all_the_time() -> None:
    # 4 + 6 = 10 cycles
    assert kept(on_one([4, 6]), [0, 2], 10) == [0, 4]
    # 3 + 4 + 3, planned for 5, 6 and 0: from 0 to 3, from 5 to 8, from 8 to 12; so from 12 to 15; and then
    # the others from 15 and 18, as before
    assert kept(on_one([3, 4, 3]), [5, 6, 0], 10) == [5, 8, 2]


def test_a_period_that_is_too_long_to_put_tasks_in_order() -> None:
    # one queue, and joins; three tasks, numbers of 2 bits: 2 * period is to fit into 61 bits
    graph = on_one([3])
    assert kept(graph, [0], 2**60 - 1) == [0]
    assert kept(graph, [0], 2**60) is None


def test_a_server_that_is_busier_than_the_period() -> None:
    # 6 + 5 > 10 cycles: a cycle later with every inference
    assert kept(on_one([6, 5]), [0, 5], 10) is None
    # 11 > 10
    assert kept(on_one([11]), [0], 10) is None


def test_three_on_two_servers() -> None:
    # two begin at once, the third one when one of them is over
    assert kept(on_one([4, 4, 4], servers=2), [0, 0, 0], 10) == [0, 0, 4]
    assert kept(on_one([4, 4, 4], servers=3), [0, 0, 0], 10) == [0, 0, 0]
    # from 5 to 12 and from 6 to 14: the next inference's first task begins at 12 instead of 10, to 15, when
    # the second one is due
    assert kept(on_one([3, 7, 8], servers=2), [0, 5, 6], 10) == [2, 5, 6]


def test_two_servers_for_more_than_a_period() -> None:
    # 15 cycles, one every 10, on two servers in turn
    assert kept(on_one([15, 2], servers=2), [0, 5], 10) == [0, 5]


def test_several_servers_for_more_than_two_periods() -> None:
    # Two servers, tasks of 1, 5 and 2 cycles, planned for 0, 0 and 4, every 5 cycles. Held by the first one
    # from 0 to 1, by the second from 0 to 5, by the third from 4 to 6. At 5 one server is free: the first one
    # begins; the second one begins at 6 instead of 5, to 11. At 9 the third one, to 11. At 10 both are held
    # to 11: in the third period the first one is put off as well.
    graph = on_one([1, 5, 2], servers=2)
    starts = kept(graph, [0, 0, 4], 5)
    assert starts is None or most_at_once(graph, [0, *starts], [1, 2, 3], 5) <= 2


def test_more_servers_than_a_period_has_tasks() -> None:
    # Three servers, two tasks of 12 cycles, every 10: two are held to 12, and the third one from 10 on. The
    # second task of that inference waits to 12 for one of the two; the first need not, as if it were one of
    # two servers.
    graph = on_one([12, 12], servers=3)
    assert kept(graph, [0, 0], 10) == [0, 2]


def test_a_task_that_lasts_for_longer_than_a_period_has_two_servers() -> None:
    # 15 cycles every 10: the second server takes the next one
    assert kept(on_one([15], servers=2), [0], 10) == [0]


def test_what_comes_after_is_put_off_as_far_as_it_has_to() -> None:
    # a is put off by 3 cycles behind x. b may be a cycle later without c, c has two to spare: b is due
    # 0 + 3 + 4 = 7 instead of 6, c 7 + 5 = 12 as planned.
    graph = chained()
    assert kept(graph, [0, 0, 6, 12], 100) == [0, 3, 7, 12]
    # without time to spare all are put off, and so is what has its server behind them: d from 12 to 13
    assert kept(chained(behind=True), [0, 0, 4, 9, 11], 100) == [0, 3, 7, 12, 14]
    # which is in time if it is planned for later
    assert kept(chained(behind=True), [0, 0, 4, 9, 15], 100) == [0, 3, 7, 12, 15]


def chained(*, behind: bool = False) -> TaskGraph:
    """x and a on one server, then b and c; on the server of c perhaps d."""
    stages = [("s", 3, 3), ("s", 4, 4), ("b", 5, 5), ("c", 2, 6)]
    builder = builder_of(*stages, *([("c", 1, 1)] if behind else []))
    lead(builder, 2, 3)
    lead(builder, 3, 4)
    return builder.build()


def test_a_join_and_a_start_put_off_what_waits_for_them() -> None:
    # a is put off from 0 to 3. c waits for its finish at 7 through a join, d for its start.
    builder = builder_of(("s", 3, 3), ("s", 4, 4))
    join = builder.join([np.array([2], dtype=np.int32)], ONE)
    builder.add(builder.resource("c", "p"), 1, 1, ONE, [join])
    builder.add(builder.resource("d", "p"), 1, 1, ONE)
    lead(builder, 2, 5, from_start=True)
    graph = builder.build()
    assert kept(graph, [0, 0, 4, 4, 0], 100) == [0, 3, 7, 7, 3]
    assert kept(graph, [0, 0, 4, 8, 4], 100) == [0, 3, 7, 8, 4]


@pytest.mark.parametrize("from_start", [False, True])
def test_an_edge_to_a_later_inference_puts_off_what_it_leads_to(from_start: bool) -> None:
    # a is put off from 22 to 23, and ends at 27. b waits for that of two inferences before, every 10 cycles:
    # until 27 - 20 = 7; or for its start, until 3.
    builder = builder_of(("s", 3, 3), ("s", 4, 4), ("b", 1, 1))
    lead(builder, 2, 3, distance=2, from_start=from_start)
    graph = builder.build()
    due = 3 if from_start else 7
    assert kept(graph, [20, 22, due - 1], 10) == [20, 23, due]
    assert kept(graph, [20, 22, due + 1], 10) == [20, 23, due + 1]


def test_what_waits_for_itself_of_an_earlier_inference_is_put_off_without_end() -> None:
    # a of 4 cycles, then x of 2 and b of 5 on one server, x first; the next inference's a after b: from the
    # start of a to that of the next one 4 + 2 + 5 = 11 cycles, although the server is held for 7
    builder = builder_of(("a", 4, 4), ("s", 2, 2), ("s", 5, 5))
    for x_or_b in (2, 3):
        lead(builder, 1, x_or_b)
    lead(builder, 3, 1, distance=1)
    graph = builder.build()
    assert kept(graph, [0, 4, 4], 11) == [0, 4, 6]
    assert kept(graph, [0, 4, 4], 10) is None
    assert kept(graph, [0, 4, 4], 9) is None


def test_inferences_that_go_to_other_copies_in_turn_keep_no_timetable() -> None:
    # one task, two copies: every other inference goes to the second one
    assert kept(on_one([5], copies=2), [0], 10) is None
    # three tasks, two copies: the first one goes to the second copy next time
    assert kept(on_one([1, 1, 1], copies=2), [0, 2, 4], 10) is None


def test_copies_that_get_as_many_tasks_of_every_inference_are_queues_of_their_own() -> None:
    assert kept(on_one([5, 5], copies=2), [0, 0], 10) == [0, 0]
    # the first and the third on one copy, the second and the fourth on the other
    assert kept(on_one([5, 4, 3, 2], copies=2), [0, 0, 1, 1], 10) == [0, 0, 5, 4]


def stairs(steps: int) -> tuple[TaskGraph, list[int]]:
    """Two servers in turn, two tasks a step of 2 cycles each, the second one right behind the first.

    The second one leads to the first one of the next step, which is due just then. The first one of all takes
    3 cycles, so that all but it are a cycle later than planned.
    """
    stages = [(f"s{step % 2}", 2 if step or second else 3, 3) for step in range(steps) for second in (0, 1)]
    builder = builder_of(*stages)
    for step in range(1, steps):
        lead(builder, 2 * step, 2 * step + 1)
    return builder.build(), [5 * step + 2 * second for step in range(steps) for second in (0, 1)]


def test_timetables_that_take_long_to_keep_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    # Each step puts off the first task of the next, on the other server, which is served again for that: of
    # s steps, s times s tasks. 4 * 4 = 16 is below 3 times the 10 tasks of the graph, 16 * 16 = 256 is above
    # 3 * 34.
    short, long = stairs(4), stairs(16)
    assert kept(*short, 1000) == [0, *(start + 1 for start in short[1][1:])]
    assert kept(*long, 1000) is None
    monkeypatch.setattr(timetable, "_MOST_SERVED", 300)
    assert kept(*long, 1000) == [0, *(start + 1 for start in long[1][1:])]


# What is before a task.


def counted(builder: GraphBuilder, *names: str) -> list[int]:
    """How many tasks of some servers are before each, the exit left out."""
    graph = builder.build()
    chosen = np.array([resource.name_there.removeprefix(".") in names for resource in graph.resources])
    found = crossings(graph, chosen)
    counts: list[int] = found[:-1].tolist()
    return counts


def diamond(*, from_start: bool = False) -> GraphBuilder:
    """From a to d, one way over b, the other over c and e."""
    builder = builder_of(("a", 1, 1), ("b", 1, 1), ("c", 1, 1), ("e", 1, 1), ("d", 1, 1))
    for source, target in ((1, 2), (2, 5), (1, 3), (3, 4), (4, 5)):
        lead(builder, source, target, from_start=from_start)
    return builder


@pytest.mark.parametrize("from_start", [False, True])
def test_the_way_with_most_of_them_counts(from_start: bool) -> None:
    # the entry, then a, b, c, e, d
    assert counted(diamond(from_start=from_start), "b", "c", "e") == [0, 0, 0, 0, 1, 2]
    # a task itself is not before it
    assert counted(diamond(from_start=from_start), "a", "b", "d") == [0, 0, 1, 1, 1, 2]
    assert counted(diamond(from_start=from_start), "d") == [0, 0, 0, 0, 0, 0]
    assert counted(diamond(from_start=from_start)) == [0, 0, 0, 0, 0, 0]


def test_joins_are_passed_and_do_not_count() -> None:
    # two of a, one after the other, and one of b come together in a join, then c
    builder = builder_of(("a", 1, 1), ("a", 1, 1), ("b", 1, 1))
    lead(builder, 1, 2)
    ends = [np.array([task], dtype=np.int32) for task in (2, 3)]
    builder.add(builder.resource("c", "p"), 1, 1, ONE, [builder.join(ends, ONE)])
    assert counted(builder, "a", "b", "c") == [0, 0, 1, 0, 2, 2]
    assert counted(builder_of(("a", 1, 1), ("b", 1, 1)), "a") == [0, 0, 0]


def test_what_another_inference_does_is_not_before_a_task() -> None:
    builder = builder_of(("a", 1, 1), ("b", 1, 1))
    lead(builder, 1, 2, distance=1)
    assert counted(builder, "a", "b") == [0, 0, 0]
