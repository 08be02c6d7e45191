"""The timeline: one graph by hand, event by event, and what holds for all of them."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Mapping
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
from archsim.report.timeline_limits import Limits, Window, parse_limits
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
    graph: TaskGraph, limits: Limits = Limits(), clock_ghz: float = 1.0, prices: Any = PRICES
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
