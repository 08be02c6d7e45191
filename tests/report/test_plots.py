"""Pictures at their smallest and their largest: nothing overlaps, is cut off, or too small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from archsim.cost.entry import Charge
from archsim.errors import ArchsimError
from archsim.report.plots import (
    area,
    energy,
    heatmap,
    latency,
    pareto,
    pipeline,
    power,
    roofline,
    sequence_length,
    throughput,
    utilisation,
)
from archsim.report.plots.kinds import KINDS
from archsim.report.plots.labels import Named
from archsim.report.plots.run_view import Choice, RunView
from archsim.report.plots.style import SMALL_PT, WIDTH_IN, house_style
from archsim.report.plots.sweep_table import Axis, SweepTable
from archsim.results.record import Result
from archsim.task_graph import GraphBuilder, Place

LONG = "a_machine_with_quite_a_long_name-of-2026, replication whole"
"""A name that does not fit on one line beside a picture."""


def result(
    components: Sequence[str] = ("analog.adc",), classes: Sequence[str] = ("analog",), **changes: Any
) -> Result:
    """A result in which component number n takes n + 1 shares of energy and area."""
    table = {name: 1e9 * (number + 1) for number, name in enumerate(components)}
    shares = {name: 1 / (number + 1) for number, name in enumerate(classes)}
    total = sum(table.values())
    plain = Result(
        hardware={"name": "machine", "clock_ghz": 2.0, "content": "1"},
        workload={
            **{"model": "bert", "layers": 2, "attention": "full", "batch": 1},
            **{"prefill_tokens": 128, "decode_steps": 0, "context": 0},
        },
        options={"stream": True},
        latency_ns={"first_inference": 5000.0, "total": 5000.0},
        throughput={
            **{"inferences_per_s": 1e6, "tokens_per_s": 1.28e8, "ops_per_s": 4e14},
            **{"interval_ns": 1000.0, "in_flight": 3},
        },
        energy_pj={
            **{"per_inference": total, "static": 0.0, "by_component": table, "by_operation": table},
            "by_layer": {"l0": total},
        },
        area_mm2={"total": total, "by_component": table},
        efficiency={"tops": 400.0, "peak_tops": 1000.0, "tops_per_w": 1.0, "tops_per_mm2": 1.0},
        power_w={"average": 1.0, "peak": 2.0},
        utilisation=shares,
        utilisation_by_layer={"l0": shares, "outside": {}},
        traffic_bytes=dict.fromkeys(classes, 1e6),
        mapping={},
        programming={},
        wear={},
        critical_path={
            **{"cycles": 10_000, "compute_cycles": 6000, "transfer_cycles": 3000, "waiting_cycles": 1000},
            **{"by_class": dict.fromkeys(classes, 10_000), "by_operation": {"ffn1": 10_000}},
            "by_layer": {"l0": 10_000},
        },
        warnings=(),
        assumptions=(),
    )
    return replace(plain, **changes)


ONE = [Named("bert", result())]
COMPONENTS = [f"{part}.{word}" for part in ("analog", "tiles_of_sram") for word in "abcdefghij"]
CLASSES = ["analog", "digital", "global_bus", "interconnect", "a_very_long_class_of_resources", "sfu"]
MANY = [
    Named(f"{LONG} {number}", result(COMPONENTS, CLASSES, hardware={"name": str(number), "clock_ghz": 1.0}))
    for number in range(20)
]
LENGTHS = [
    Named(
        str(number),
        result(COMPONENTS, workload={**ONE[0].result.workload, "prefill_tokens": 1000 + number}),
    )
    for number in range(20)
]


def run(tokens: int = 2, layers: int = 1, classes: Sequence[str] = ("analog",)) -> RunView:
    """Tokens that pass the operation q of some layers, 100 cycles on an array and 10 on a bus in each."""
    graph = GraphBuilder()
    numbers = np.arange(tokens)
    before: Any = np.full(tokens, -1, dtype=np.int32)
    for layer in range(layers):
        graph.begin_operation(f"l{layer}.q", layer)
        for kind in classes:
            graph.place = Place(0, layer)
            array = graph.resource(f"{kind}.l{layer}", kind)
            before = graph.add(array, 100, 150, numbers, [before], {f"{kind}.read": 1.0})
        bus = graph.resource(f"bus.l{layer}", "bus")
        before = graph.add(bus, 10, 12, numbers, [before], {"bus.bit": 8.0})
    built = graph.build()
    start = np.arange(len(built), dtype=np.int64) * 37
    names = [*(f"{kind}.read" for kind in classes), "bus.bit"]
    return RunView(built, start, 1.0, {name: (Charge(name, 1.0),) for name in names})


def sweep(values: int, infeasible: int = 0) -> SweepTable:
    """Points over two parameters with long names; the first ones are infeasible."""
    cells = [(x, y) for x in range(values) for y in range(values)]
    status = ["infeasible" if place < infeasible else "ok" for place in range(len(cells))]
    done = [each == "ok" for each in status]
    return SweepTable(
        "sweep.csv",
        {
            "pu.parts.analog.adc.arrays_per_adc": [x for x, _ in cells],
            "pu.parts.analog.array.columns": [1000 * (y + 1) for _, y in cells],
            "status": status,
            "energy_pj": [1e9 * (x + y + 1) if ok else None for (x, y), ok in zip(cells, done, strict=True)],
            "latency_ns": [1e6 / (x + 1) if ok else None for (x, _), ok in zip(cells, done, strict=True)],
        },
    )


PARAMETERS = [Axis("pu.parts.analog.adc.arrays_per_adc"), Axis("pu.parts.analog.array.columns")]
OBJECTIVES = [Axis("latency_ns"), Axis("energy_pj", "max")]

PICTURES: dict[str, Callable[[], Figure]] = {
    "energy smallest": lambda: energy.draw(ONE, "component"),
    "energy largest": lambda: energy.draw(MANY, "component"),
    "energy by part": lambda: energy.draw(MANY[:2], "part"),
    "area smallest": lambda: area.draw(ONE, "component"),
    "area largest": lambda: area.draw(MANY, "component"),
    "latency smallest": lambda: latency.draw(ONE, "class"),
    "latency largest": lambda: latency.draw(MANY, "cause"),
    "throughput smallest": lambda: throughput.draw(ONE, "inferences"),
    "throughput largest": lambda: throughput.draw(MANY, "tokens"),
    "utilisation smallest": lambda: utilisation.draw(ONE, "class"),
    "utilisation of one": lambda: utilisation.draw(MANY[:1], "class"),
    "utilisation largest": lambda: utilisation.draw(MANY, "class"),
    "utilisation by layer": lambda: utilisation.draw(MANY[:1], "layer"),
    "utilisation of 126 layers": lambda: utilisation.draw([Named("llama", deep(126))], "layer"),
    "roofline smallest": lambda: roofline.draw(ONE, ""),
    "roofline largest": lambda: roofline.draw(MANY, ""),
    "sequence_length smallest": lambda: sequence_length.draw(LENGTHS[:1], "component"),
    "sequence_length largest": lambda: sequence_length.draw(LENGTHS, "component"),
    "pipeline smallest": lambda: pipeline.draw(run(1), "operation", Choice()),
    "pipeline largest": lambda: pipeline.draw(run(8, 24), "layer", Choice(tuple(range(8)))),
    "power smallest": lambda: power.draw(run(1)),
    "power largest": lambda: power.draw(run(4, 3, [f"a_class_of_resources_{n}" for n in range(20)])),
    "pareto smallest": lambda: pareto.draw(sweep(1), OBJECTIVES, None),
    "pareto largest": lambda: pareto.draw(sweep(9), OBJECTIVES, PARAMETERS[0].column),
    "pareto of parameters": lambda: pareto.draw(sweep(3), PARAMETERS, None),
    "heatmap smallest": lambda: heatmap.draw(sweep(1), [*PARAMETERS, OBJECTIVES[1]], None),
    "heatmap largest": lambda: heatmap.draw(sweep(60, 200), [*PARAMETERS, OBJECTIVES[0]], None),
    "heatmap of numbers": lambda: heatmap.draw(sweep(5, 3), [*PARAMETERS, OBJECTIVES[1]], None),
}


def deep(layers: int) -> Result:
    return result(utilisation_by_layer={f"l{n}": dict.fromkeys(CLASSES, 0.5) for n in range(layers)})


@pytest.fixture(params=PICTURES, scope="module")
def figure(request: pytest.FixtureRequest) -> Iterator[Figure]:
    with house_style():
        drawn = PICTURES[request.param]()
        drawn.draw_without_rendering()
        yield drawn


def shown_texts(figure: Figure) -> Iterator[tuple[str, Bbox, float]]:
    """Each text that is drawn, where it stands in pixels, and its size in points."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    hidden: set[Text] = set()
    for axes in figure.axes:
        for axis, place in ((axes.xaxis, 0), (axes.yaxis, 1)):
            low, high = axes.bbox.intervalx if place == 0 else axes.bbox.intervaly
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                at = axis.get_transform().transform(tick.get_loc())
                at = (axes.transLimits + axes.transAxes).transform((at, at))[place]
                if not low - 1 <= at <= high + 1:
                    hidden |= {tick.label1, tick.label2}
    for text in figure.findobj(Text):
        box = text.get_window_extent(renderer)
        if text not in hidden and text.get_visible() and text.get_text().strip() and box.width:
            yield text.get_text(), box, text.get_fontsize()


def test_no_text_overlaps_another(figure: Figure) -> None:
    for (one, box, _), (two, other, _) in combinations(list(shown_texts(figure)), 2):
        apart = (
            box.x1 <= other.x0 + 1
            or other.x1 <= box.x0 + 1
            or box.y1 <= other.y0 + 1
            or other.y1 <= box.y0 + 1
        )
        assert apart, f"{one!r} and {two!r}"


def test_no_text_is_cut_off_or_too_small(figure: Figure) -> None:
    whole = figure.bbox
    assert figure.get_figwidth() == WIDTH_IN
    for text, box, size in shown_texts(figure):
        assert box.x0 >= -1 and box.x1 <= whole.x1 + 1 and box.y0 >= -1 and box.y1 <= whole.y1 + 1, text
        assert size >= SMALL_PT


def test_no_legend_covers_the_axes(figure: Figure) -> None:
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    for legend in figure.legends:
        for axes in figure.axes:
            assert not legend.get_window_extent(renderer).overlaps(axes.bbox)


def test_axes_keep_room_for_the_data(figure: Figure) -> None:
    for axes in figure.axes:
        if axes.get_label() != "<colorbar>":
            assert axes.bbox.width / figure.dpi > 1.4
            assert axes.bbox.height / figure.dpi > 0.18
    assert figure.get_figheight() < 12


def test_every_axis_that_is_named_states_its_unit(figure: Figure) -> None:
    plain = {"operations a byte", "TOPS", *(axis.column for axis in PARAMETERS)}
    for axes in figure.axes:
        for label in (axes.get_xlabel(), axes.get_ylabel()):
            name = label.replace("\n", "").removesuffix("← better").removesuffix("better →")
            assert not name or name.endswith(")") or name in plain or name[:8] in "pu.parts.analog", label


def test_each_kind_is_drawn_here() -> None:
    assert {name.split()[0] for name in PICTURES} == set(KINDS)


def widths(figure: Figure) -> list[float]:
    return [round(bar.get_width(), 6) for bar in figure.axes[0].patches]


def test_bars_are_as_long_as_their_values() -> None:
    with house_style():
        # 20 components of 1 to 20 mJ are 210 mJ; 2 % of it are 4.2 mJ: 1 to 4 are folded, and so are 5 to 8,
        # as 12 rows are shown at most
        drawn = energy.draw(MANY[:1], "component")
        assert widths(drawn) == [*range(20, 8, -1), 36]
        assert [text.get_text() for text in drawn.legends[0].get_texts()][-1] == (
            "8 others, each < 3.9 %: 17.1 %"
        )
        # 6000, 3000 and 1000 cycles at 2 GHz
        assert widths(latency.draw(ONE, "cause")) == [3.0, 1.5, 0.5]
        assert widths(throughput.draw(ONE, "tokens")) == [128.0]
        assert widths(utilisation.draw(MANY[:1], "class"))[:2] == [100.0, 50.0]


def test_roofline_marks() -> None:
    (mark,) = roofline.marks_of(ONE[0])
    # 4e14 operations a second x 1 us = 4e8 an inference, over 1e6 bytes
    assert mark.intensity == pytest.approx(400)
    # 1e6 bytes a us, while the medium is held all the time
    assert mark.bytes_per_s == pytest.approx(1e12)


def test_sequence_lengths_are_in_order() -> None:
    with house_style():
        drawn = sequence_length.draw(LENGTHS[4:1:-1], "component")
    assert [label.get_text() for label in drawn.axes[1].get_xticklabels()] == ["1002", "1003", "1004"]


def test_crosses_mark_infeasible_cells() -> None:
    with house_style():
        drawn = heatmap.draw(sweep(3, 2), [*PARAMETERS, OBJECTIVES[0]], None)
    # points (0, 0) and (0, 1): the first column, the lower two of three rows
    (crosses,) = drawn.axes[0].collections
    assert sorted(crosses.get_offsets().tolist()) == [[0, 1], [0, 2]]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: energy.draw([Named("a", result([]))], "component"),
            "nothing to plot: all values are 0",
        ),
        (
            lambda: throughput.draw([Named("a", result(throughput={"ops_per_s": 0.0}))], "ops"),
            "nothing to plot: all values are 0",
        ),
        (
            lambda: utilisation.draw(ONE * 2, "layer"),
            "--by layer draws one result, not 2; leave it out, or draw each apart",
        ),
        (
            lambda: utilisation.draw([Named("a", result(utilisation={}))], "class"),
            "nothing to plot: no resource is used",
        ),
        (
            lambda: roofline.draw([Named("a", result(traffic_bytes={}))], ""),
            "nothing to plot: a does no operations, or moves no bytes",
        ),
        (
            lambda: sequence_length.draw([*ONE, *ONE], "component"),
            "2 results have a sequence length of 128: one a length can be drawn",
        ),
        (
            lambda: sequence_length.draw(MANY[:2], "component"),
            "a sequence_length plot is of one model on one machine, and these are 2 machines: 0, 1",
        ),
        (
            lambda: pipeline.draw(run(2), "operation", Choice((5,))),
            "--tokens: there is no token 5 in this run; tokens are 0 to 1",
        ),
        (
            lambda: pipeline.draw(run(2), "operation", Choice(None, (-1,))),
            "--layers: there is nothing outside of the layers in this run; layers are 0 to 0",
        ),
        (
            lambda: power.draw(replace(run(), prices=dict.fromkeys(run().prices, ()))),
            "nothing to plot: the inference takes no energy",
        ),
        (
            lambda: pareto.draw(sweep(2, 4), OBJECTIVES, None),
            "sweep.csv: nothing to plot: no point has both latency_ns and energy_pj",
        ),
        (
            lambda: pareto.draw(sweep(10), OBJECTIVES, PARAMETERS[0].column),
            "--by: pu.parts.analog.adc.arrays_per_adc has 10 values; the colours of 9 can be told apart",
        ),
        (
            lambda: pareto.draw(sweep(2), [Axis("latency_n"), OBJECTIVES[1]], None),
            "--axes: sweep.csv has no column 'latency_n' (did you mean 'latency_ns'?); it has "
            "pu.parts.analog.adc.arrays_per_adc, pu.parts.analog.array.columns, status, energy_pj, "
            "latency_ns",
        ),
        (
            lambda: pareto.draw(sweep(2), [Axis("status"), OBJECTIVES[1]], None),
            "--axes: sweep.csv: the column 'status' holds 'ok', and numbers are needed",
        ),
        (
            lambda: heatmap.draw(sweep(61), [*PARAMETERS, OBJECTIVES[0]], None),
            "--axes: pu.parts.analog.adc.arrays_per_adc has 61 values; a heat map shows 60 at most",
        ),
        (
            lambda: heatmap.draw(sweep(2), [PARAMETERS[0], PARAMETERS[0], OBJECTIVES[0]], None),
            "--axes: pu.parts.analog.adc.arrays_per_adc is given twice",
        ),
        (
            lambda: heatmap.draw(sweep(2, 4), [*PARAMETERS, OBJECTIVES[0]], None),
            "sweep.csv: nothing to plot: no point has latency_ns",
        ),
    ],
)
def test_what_cannot_be_drawn_is_told(draw: Callable[[], Figure], message: str) -> None:
    with house_style(), pytest.raises(ArchsimError) as caught:
        draw()
    assert str(caught.value) == message
