"""The timeline: one graph by hand, event by event, and what holds for all of them."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.cost.entry import Charge
from archsim.errors import ArchsimError, OutputError
from archsim.report import timeline as module
from archsim.report.timeline import Timeline, build_timeline, timeline_text, write_timeline
from archsim.report.timeline_limits import UNLIMITED, Limits, Window, parse_limits
from archsim.sim.critical_path import critical_path
from archsim.sim.event_engine import run_event
from archsim.task_graph import GraphBuilder, Place, TaskGraph

Event = dict[str, Any]
PRICES = {
    "bus.bit": (Charge("bus", 0.5),),
    "array.read": (Charge("array.cell", 1.0), Charge("array.adc", 3.0)),
}


def two_tokens() -> TaskGraph:
    """Two tokens over a bus of 2 cycles, and through an array that is held for 5 and takes 7."""
    graph = GraphBuilder()
    token = np.arange(2)
    graph.begin_operation("in", None)
    graph.place = Place(0)
    moved = graph.add(graph.resource("bus", "bus"), 2, 3, token, (), {"bus.bit": 32.0})
    graph.begin_operation("l0.q", 0)
    graph.place = Place(0, 1)
    graph.add(graph.resource("array.q", "array"), 5, 7, token, (moved,), {"array.read": 10.0})
    return graph.build()


def drawn(
    graph: TaskGraph, limits: Limits = UNLIMITED, clock_ghz: float = 1.0, prices: Any = PRICES
) -> Timeline:
    """The timeline of one inference, with its critical path."""
    start = run_event(graph, 1).start[0]
    path = critical_path(graph, start).tasks
    return build_timeline(graph, start, clock_ghz, prices, limits=limits, path=path)


def events(timeline: Timeline) -> list[Event]:
    content = json.loads("".join(timeline_text(timeline)))
    assert list(content) == ["displayTimeUnit", "traceEvents"]
    found: list[Event] = content["traceEvents"]
    return found


def of_phase(found: list[Event], phase: str) -> list[Event]:
    return [event for event in found if event["ph"] == phase]


def test_a_timeline_by_hand() -> None:
    # The bus takes token 0 from 0 to 2 and token 1 from 2 to 4; they arrive a cycle later, at 3 and 5. The
    # array takes token 0 at 3, and token 1 when it is free again, at 8; the result is there at 15.
    # 32 bits at 0.5 pJ are 16 pJ a transfer, 8 mW for 2 ns; 10 reads at 4 pJ are 40 pJ, 8 mW for 5 ns.
    # 4 bytes in 2 ns are 2e9 bytes a second. Cycle 2 to 3 the bus alone, 3 to 4 both, 4 to 13 the array.
    # Critical: bus token 0, array token 0, array token 1.
    text = "".join(timeline_text(drawn(two_tokens())))
    critical = '"cat":"critical path","name":"critical path"'
    assert text.splitlines() == [
        '{"displayTimeUnit":"ns","traceEvents":[',
        '{"ph":"M","pid":1,"name":"process_name","args":{"name":"chip 0"}},',
        '{"ph":"M","pid":1,"name":"process_sort_index","args":{"sort_index":0}},',
        '{"ph":"M","pid":1,"tid":2,"name":"thread_name","args":{"name":"bus"}},',
        '{"ph":"M","pid":1,"tid":2,"name":"thread_sort_index","args":{"sort_index":2}},',
        '{"ph":"M","pid":1,"tid":3,"name":"thread_name","args":{"name":"pu1.array.q"}},',
        '{"ph":"M","pid":1,"tid":3,"name":"thread_sort_index","args":{"sort_index":3}},',
        '{"ph":"X","pid":1,"tid":2,"ts":0.0,"dur":0.002,"name":"in token 0","cat":"in",'
        '"args":{"token":0,"latency_ns":3.0}},',
        '{"ph":"X","pid":1,"tid":2,"ts":0.002,"dur":0.002,"name":"in token 1","cat":"in",'
        '"args":{"token":1,"latency_ns":3.0}},',
        '{"ph":"X","pid":1,"tid":3,"ts":0.003,"dur":0.005,"name":"l0.q token 0","cat":"q",'
        '"args":{"layer":0,"token":0,"latency_ns":7.0}},',
        '{"ph":"X","pid":1,"tid":3,"ts":0.008,"dur":0.005,"name":"l0.q token 1","cat":"q",'
        '"args":{"layer":0,"token":1,"latency_ns":7.0}},',
        '{"ph":"C","pid":1,"name":"power (mW)","ts":0.0,"args":{"total":8,"array":0,"bus":8}},',
        '{"ph":"C","pid":1,"name":"power (mW)","ts":0.003,"args":{"total":16,"array":8,"bus":8}},',
        '{"ph":"C","pid":1,"name":"power (mW)","ts":0.004,"args":{"total":8,"array":8,"bus":0}},',
        '{"ph":"C","pid":1,"name":"power (mW)","ts":0.013,"args":{"total":0,"array":0,"bus":0}},',
        '{"ph":"C","pid":1,"name":"traffic (bytes/s)","ts":0.0,"args":{"total":2e+09,"bus":2e+09}},',
        '{"ph":"C","pid":1,"name":"traffic (bytes/s)","ts":0.004,"args":{"total":0,"bus":0}},',
        f'{{"ph":"s","id":1,{critical},"pid":1,"tid":2,"ts":0.0}},',
        f'{{"ph":"f","bp":"e","id":1,{critical},"pid":1,"tid":3,"ts":0.003}},',
        f'{{"ph":"s","id":2,{critical},"pid":1,"tid":3,"ts":0.003}},',
        f'{{"ph":"f","bp":"e","id":2,{critical},"pid":1,"tid":3,"ts":0.008}}',
        "]}",
    ]


def check_schema(found: list[Event]) -> None:
    """Every event has what its phase needs; what belongs together is there; numbers are not used twice."""
    keys = {
        "M": {"ph", "pid", "name", "args"},
        "X": {"ph", "pid", "tid", "ts", "dur", "name", "cat", "args"},
        "C": {"ph", "pid", "ts", "name", "args"},
        "s": {"ph", "pid", "tid", "ts", "name", "cat", "id"},
        "f": {"ph", "pid", "tid", "ts", "name", "cat", "id", "bp"},
    }
    for event in found:
        assert set(event) - {"tid"} == keys[event["ph"]] - {"tid"}
        assert event["pid"] >= 1 and event.get("ts", 0) >= 0
    names = [event for event in found if event["name"] == "thread_name"]
    process_of = {event["tid"]: event["pid"] for event in names}
    processes = {event["pid"] for event in found if event["name"] == "process_name"}
    assert (
        len(process_of) == len(names) == len({event["args"]["name"] + str(event["pid"]) for event in names})
    )
    assert not processes & set(process_of)
    for event in found:
        assert event["pid"] in processes
        assert event["ph"] == "C" or "tid" not in event or process_of[event["tid"]] == event["pid"]
    threads = {event["tid"] for event in of_phase(found, "X")}
    assert threads == set(process_of)


def check_threads(found: list[Event], ticks_per_us: int) -> None:
    """Nothing overlaps in a thread, and the file has its slices in the order of time."""
    free: dict[int, int] = defaultdict(int)
    for event in of_phase(found, "X"):
        begin, duration = round(event["ts"] * ticks_per_us), round(event["dur"] * ticks_per_us)
        assert begin >= free[event["tid"]] and duration >= 0
        free[event["tid"]] = begin + duration


def check_arrows(found: list[Event]) -> None:
    """Arrows come in pairs, each from the slice where the one before ended, forward in time."""
    begins = {(event["tid"], event["ts"]) for event in of_phase(found, "X")}
    sources, targets = of_phase(found, "s"), of_phase(found, "f")
    assert [event["id"] for event in sources] == [event["id"] for event in targets]
    assert len({event["id"] for event in sources}) == len(sources)
    for source, target in zip(sources, targets, strict=True):
        assert {(source["tid"], source["ts"]), (target["tid"], target["ts"])} <= begins
        assert source["ts"] <= target["ts"]
    for before, after in zip(targets, sources[1:], strict=False):
        assert (before["tid"], before["ts"]) == (after["tid"], after["ts"])


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    """Graphs of several chips, copies and servers, with tasks of no time among them."""
    graph = GraphBuilder()
    for number in range(draw(st.integers(1, 8))):
        graph.place = Place(draw(st.integers(0, 2)), draw(st.integers(-1, 1)))
        part = draw(st.sampled_from(["bus", "array"]))
        servers = 1 + sum(map(ord, part + str(graph.place))) % 3
        copies = 1 + graph.place.chip
        resource = graph.resource(part, part, servers=servers, copies=copies)
        layer = draw(st.sampled_from([None, 0, 1]))
        graph.begin_operation(f"op{number}" if layer is None else f"l{layer}.op{number}", layer)
        token = np.arange(draw(st.integers(1, 6)))
        occupancy = np.array(draw(st.lists(st.integers(0, 4), min_size=len(token), max_size=len(token))))
        action = {"bus": "bus.bit", "array": "array.read"}[part]
        graph.add(resource, occupancy, draw(st.integers(0, 5)), token, (), {action: 8.0})
    return graph.build()


@given(graph=graphs(), clock_ghz=st.sampled_from([1.0, 0.5, 2.0, 0.3]))
def test_what_holds_for_every_timeline(graph: TaskGraph, clock_ghz: float) -> None:
    found = events(drawn(graph, clock_ghz=clock_ghz))
    check_schema(found)
    check_threads(found, 1000 if clock_ghz in (1.0, 0.5) else 1_000_000)
    check_arrows(found)
    slices = of_phase(found, "X")
    assert len(slices) == np.count_nonzero(graph.resource >= 0)
    held_us = graph.occupancy[graph.resource >= 0].sum() / clock_ghz / 1000
    assert sum(event["dur"] for event in slices) == pytest.approx(held_us, abs=1e-6 * len(slices))


def area(found: list[Event], name: str, key: str = "total") -> float:
    """What is below a counter of all chips: its unit times microseconds."""
    total = 0.0
    for chip in {event["pid"] for event in found}:
        own = [event for event in of_phase(found, "C") if (event["name"], event["pid"]) == (name, chip)]
        for one, two in pairwise(own):
            total += one["args"][key] * (two["ts"] - one["ts"])
    return total


@given(graph=graphs())
def test_the_area_below_the_counters_is_the_energy_and_the_bytes(graph: TaskGraph) -> None:
    found = events(drawn(graph))
    tasks = {part: sum(graph.resources[r].part == part for r in graph.resource if r >= 0) for part in PARTS}
    # 8 bits at 0.5 pJ, 8 reads at 4 pJ; mW times us are nJ
    assert area(found, "power (mW)") == pytest.approx(
        (tasks["bus"] * 4 + tasks["array"] * 32) / 1000, rel=1e-5
    )
    assert area(found, "traffic (bytes/s)") / 1e6 == pytest.approx(tasks["bus"], rel=1e-5)


PARTS = ("bus", "array")


@given(begin=st.integers(0, 12), long=st.integers(1, 20))
def test_windows_that_meet_share_the_energy(begin: int, long: int) -> None:
    """Each instant belongs to one window, whatever is drawn of the tasks that cross its ends."""
    edges = sorted({0, begin, min(begin + long, 13), 13})
    parts = [
        area(events(drawn(two_tokens(), Limits(Window(one, two)))), "power (mW)")
        for one, two in pairwise(edges)
    ]
    assert sum(parts) == pytest.approx((2 * 16 + 2 * 40) / 1000)


def test_a_long_run_has_a_thousand_means() -> None:
    """30000 cycles, intervals of 30; a task of 45 cycles from 10 on fills 20 of the first, 25 of the next."""
    graph = GraphBuilder()
    resource = graph.resource("bus", "bus")
    one = graph.add(resource, 10, 10, np.arange(1))
    two = graph.add(resource, 45, 45, np.arange(1), (one,), {"bus.bit": 8 * 45.0})
    graph.add(resource, 29945, 29945, np.arange(1), (two,))
    found = of_phase(events(drawn(graph.build())), "C")
    traffic = [(event["ts"], event["args"]["bus"]) for event in found if event["name"].startswith("traffic")]
    assert traffic == [
        (0.0, pytest.approx(1e9 * 20 / 30, rel=1e-5)),
        (0.03, pytest.approx(1e9 * 25 / 30, rel=1e-5)),
        (0.06, 0),
    ]


def names(timeline: Timeline) -> list[str]:
    return [event["name"] for event in of_phase(events(timeline), "X")]


def test_a_window_draws_what_touches_it() -> None:
    # slices: bus 0-2 and 2-4, array 3-8 and 8-13
    assert names(drawn(two_tokens(), parse_limits("2:8", None, None))) == ["in token 1", "l0.q token 0"]
    assert names(drawn(two_tokens(), parse_limits("7.5:", None, None))) == ["l0.q token 0", "l0.q token 1"]
    assert names(drawn(two_tokens(), parse_limits(":1", None, None))) == ["in token 0"]
    # at 2 GHz a cycle is half a nanosecond
    assert names(drawn(two_tokens(), parse_limits("4:5", None, None), 2.0)) == ["l0.q token 1"]


def test_layers_and_classes_draw_theirs_and_arrows_skip_the_rest() -> None:
    only = drawn(two_tokens(), parse_limits(None, "outside", None))
    assert names(only) == ["in token 0", "in token 1"]
    assert of_phase(events(only), "s") == []
    only = drawn(two_tokens(), parse_limits(None, "0", "array"))
    assert names(only) == ["l0.q token 0", "l0.q token 1"]
    (arrow,) = of_phase(events(only), "s")
    assert arrow["ts"] == 0.003
    # the counters still count everything
    assert area(events(only), "power (mW)") == pytest.approx(0.112)
    assert len(names(drawn(two_tokens(), parse_limits(None, "0,outside", "bus,array")))) == 4


def test_copies_and_servers_are_threads() -> None:
    # two copies of two servers: tokens 0, 2, 4, 6 on copy 0. Of these, 0 and 2 start at once, 4 takes the
    # server of 0 at 3, 6 that of 2 at 5.
    graph = GraphBuilder()
    graph.place = Place(1, 4)
    resource = graph.resource("units", "array", servers=2, copies=2)
    graph.add(resource, np.array([3, 1, 5, 1, 9, 1, 9, 1]), 9, np.arange(8))
    found = events(drawn(graph.build()))
    check_schema(found)
    threads = {event["tid"]: event["args"]["name"] for event in found if event["name"] == "thread_name"}
    assert list(threads.values()) == [
        f"pu4.units copy {copy} server {server}" for copy in (0, 1) for server in (0, 1)
    ]
    on_copy_0 = [(threads[e["tid"]][-8:], e["args"]["token"]) for e in of_phase(found, "X")][:4]
    assert on_copy_0 == [("server 0", 0), ("server 0", 4), ("server 1", 2), ("server 1", 6)]
    assert {event["pid"] for event in found} == {2}


def test_threads_are_sorted_by_place() -> None:
    graph = GraphBuilder()
    for place in (Place(1, 12), Place(0, 10), Place(0, 2), Place(1), Place(0)):
        graph.place = place
        for name in ("z", "a"):
            graph.add(graph.resource(name, "array"), 1, 1, np.arange(1))
    found = events(drawn(graph.build()))
    threads = [(e["pid"], e["args"]["name"]) for e in found if e["name"] == "thread_name"]
    assert threads == [
        *[(1, "z"), (1, "a"), (1, "pu2.z"), (1, "pu2.a"), (1, "pu10.z"), (1, "pu10.a")],
        *[(2, "z"), (2, "a"), (2, "pu12.z"), (2, "pu12.a")],
    ]


def test_odd_names_stay_json() -> None:
    graph = GraphBuilder()
    graph.begin_operation('l0."µ\\', 0)
    graph.add(graph.resource("bus", "bus"), 1, 1, np.array([-1]))
    (event,) = of_phase(events(drawn(graph.build())), "X")
    assert (event["name"], event["cat"]) == ('l0."µ\\', '"µ\\')
    assert event["args"] == {"layer": 0, "latency_ns": 1.0}


@pytest.mark.parametrize(
    ("window", "layers", "classes", "message"),
    [
        ("8:8", None, None, "--timeline-window: '8:8' is no window: 0 <= START < END is needed"),
        ("-1:8", None, None, "--timeline-window: '-1:8' is no window: 0 <= START < END is needed"),
        (
            "13:20",
            None,
            None,
            "--timeline-window: no task that is asked for runs in 13:20 ns; the first one starts at 0 ns, "
            "the last one ends at 13 ns",
        ),
        (
            ":3",
            None,
            "array",
            "--timeline-window: no task that is asked for runs in 0:3 ns; the first one starts at 3 ns, "
            "the last one ends at 13 ns",
        ),
        (None, "0", "bus", "--timeline: no task of these layers holds a resource of these classes"),
        (
            None,
            "0,7",
            None,
            "--timeline-layers: there is no layer 7; layers are 0, outside (did you mean 0?)",
        ),
        (
            None,
            "all",
            None,
            "--timeline-layers: 'all' is not a layer, a range of layers such as 4-7, or 'outside'",
        ),
        (
            None,
            "outsid",
            None,
            "--timeline-layers: 'outsid' is not a layer, a range of layers such as 4-7, or 'outside' "
            "(did you mean 'outside'?)",
        ),
        (
            None,
            "7-4",
            None,
            "--timeline-layers: '7-4' is not a layer, a range of layers such as 4-7, or 'outside'",
        ),
        (
            None,
            None,
            "bus,arrays",
            "--timeline-classes: there is no class 'arrays'; classes are array, bus (did you mean 'array'?)",
        ),
        (None, None, "", "--timeline-classes: there is no class ''; classes are array, bus"),
    ],
)
def test_a_limit_that_is_wrong(
    window: str | None, layers: str | None, classes: str | None, message: str
) -> None:
    with pytest.raises(ArchsimError) as error:
        drawn(two_tokens(), parse_limits(window, layers, classes))
    assert str(error.value) == message


@pytest.mark.parametrize("text", ["", "5", ":", "1:x", "1:2:3", "nan:", "0:nan", "0:inf", "-inf:1"])
def test_what_is_no_window(text: str) -> None:
    with pytest.raises(ArchsimError) as error:
        parse_limits(text, None, None)
    what = f"{text!r} is not START:END in ns, such as 1000:2500, 1000: or :2500"
    assert str(error.value) == f"--timeline-window: {what}"


def test_the_layers_that_there_are_and_the_nearest() -> None:
    graph = GraphBuilder()
    for layer in (0, 1, 2, 5, 8, 9):
        graph.begin_operation(f"l{layer}.q", layer)
        graph.add(graph.resource("bus", "bus"), 1, 1, np.arange(1))
    built = graph.build()
    with pytest.raises(ArchsimError) as error:
        drawn(built, parse_limits(None, "7", None))
    assert (
        str(error.value) == "--timeline-layers: there is no layer 7; layers are 0-2, 5, 8-9 (did you mean 8?)"
    )
    with pytest.raises(ArchsimError) as error:
        drawn(built, parse_limits(None, "outside", None))
    assert (
        str(error.value)
        == "--timeline-layers: there is nothing outside of the layers; layers are 0-2, 5, 8-9"
    )


def test_pieces_are_bounded_and_make_the_same_file(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = GraphBuilder()
    graph.add(graph.resource("bus", "bus"), 1, 1, np.arange(1000))
    timeline = drawn(graph.build())
    whole = list(timeline_text(timeline))
    monkeypatch.setattr(module, "_CHUNK", 10)
    pieces = list(timeline_text(timeline))
    assert "".join(pieces) == "".join(whole)
    assert len(pieces) > 200
    assert max(piece.count("\n") for piece in pieces) <= 2 * 10 + 1


def test_the_size_is_estimated() -> None:
    graph = GraphBuilder()
    graph.add(graph.resource("bus", "bus"), 1, 1, np.arange(5000))
    timeline = drawn(graph.build())
    slices = [line for line in "".join(timeline_text(timeline)).splitlines() if '"ph":"X"' in line]
    assert timeline.slices == 5000
    assert timeline.estimated_bytes() == pytest.approx(sum(map(len, slices)), rel=0.02)


def test_equal_timelines_are_equal_files(tmp_path: Path) -> None:
    for name in ("a.json", "b.json", "a.json.gz", "b.json.gz"):
        write_timeline(tmp_path / name, drawn(two_tokens()))
    plain = (tmp_path / "a.json").read_bytes()
    packed = (tmp_path / "a.json.gz").read_bytes()
    assert plain == (tmp_path / "b.json").read_bytes() == gzip.decompress(packed)
    assert packed == (tmp_path / "b.json.gz").read_bytes()
    assert plain.decode() == "".join(timeline_text(drawn(two_tokens())))


@pytest.mark.parametrize("name", ["a/b.json", "a/b.json.gz"])
@pytest.mark.parametrize(
    ("cause", "seen"), [(KeyboardInterrupt, KeyboardInterrupt), (OSError(28, "No space left"), OutputError)]
)
def test_what_fails_half_way_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, cause: Any, seen: type[BaseException]
) -> None:
    def fails(*_: object) -> Any:
        raise cause

    timeline = drawn(two_tokens())
    monkeypatch.setattr(module, "_arrows", fails)
    with pytest.raises(seen):
        write_timeline(tmp_path / name, timeline)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_was_there_stays_when_writing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "t.json").write_text("mine")
    timeline = drawn(two_tokens())
    monkeypatch.setattr(module, "_counter", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_timeline(tmp_path / "t.json", timeline)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("t.json", "mine")]
