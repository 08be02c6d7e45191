"""The summary of a result: what an architect wants to know first, on one screen."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from archsim.report.insight import insight
from archsim.results.record import Result
from archsim.units import si_text

WIDTH = 100
TOP = 6
"""Rows of a breakdown that are shown; the others are added up."""

LABEL = 13
BAR = 24


def summary_text(result: Result) -> str:
    """The summary, ending in a newline."""
    return "\n".join(_lines(result)) + "\n"


def _lines(result: Result) -> Iterator[str]:
    yield _title(result)
    yield ""
    yield from _row("latency", _latency(result))
    yield from _row("throughput", _throughput(result))
    energy = result.energy_pj
    total = energy["per_inference"]
    static = energy["static"] / total if total else 0.0
    yield from _row("energy", f"{si_text(total * 1e-12, 'J')} an inference, {static:.1%} of it leakage")
    yield from _bars(energy["by_component"], total, "J", 1e-12)
    yield from _row("  operations", _shares(energy["by_operation"], total))
    yield from _row("power", _power(result))
    area = result.area_mm2
    yield from _row("area", f"{area['total']:.1f} mm2: {_shares(area['by_component'], area['total'])}")
    yield from _row("efficiency", _efficiency(result))
    yield from _row(
        "utilisation", ", ".join(f"{part} {min(share, 1):.1%}" for part, share in result.utilisation.items())
    )
    for part, basis in result.options.get("activity", {}).items():
        yield from _row("activity", f"{part}: {basis}")
    for number, line in enumerate(_mapping(result)):
        yield from _row("" if number else "mapping", line)
    yield from _row("programming", _programming(result))
    for warning in result.warnings:
        yield from _row("warning", warning)
    yield from _row(
        "assumptions",
        f"{len(result.assumptions)} numbers of the machine are assumed: archsim describe lists them",
    )
    yield ""
    for sentence in insight(result):
        yield from textwrap.wrap(sentence, WIDTH, break_long_words=False)


def _title(result: Result) -> str:
    work = result.workload
    shape = [_count(work["layers"], "layer")]
    if work["prefill_tokens"]:
        shape.append(f"{work['prefill_tokens']} tokens of prefill")
    if work["decode_steps"]:
        shape.append(f"{work['decode_steps']} decode steps from a context of {work['context']}")
    if work["batch"] > 1:
        shape.append(f"{work['batch']} sequences")
    return f"{work['model']} on {result.hardware['name']}: {', '.join(shape)}"


def _latency(result: Result) -> str:
    latency = result.latency_ns
    text = f"{si_text(latency['first_inference'] * 1e-9, 's')} an inference"
    if "per_token" in latency:
        text += f", {si_text(latency['first_token'] * 1e-9, 's')} to the first token"
        text += f", then {si_text(latency['per_token'] * 1e-9, 's')} a token"
    return text


def _throughput(result: Result) -> str:
    rate = result.throughput
    in_flight = int(rate["in_flight"])
    measured = f"{in_flight} in flight" if result.options["stream"] else "one at a time, no stream was run"
    return (
        f"{rate['inferences_per_s']:,.1f} inferences/s, {rate['tokens_per_s']:,.0f} tokens/s, one every "
        f"{si_text(rate['interval_ns'] * 1e-9, 's')} ({measured})"
    )


def _power(result: Result) -> str:
    power = result.power_w
    return (
        f"{si_text(power['average'], 'W')} on average, {si_text(power['peak'], 'W')} at the peak "
        f"(over {si_text(power['peak_window_ns'] * 1e-9, 's')}), {si_text(power['leakage'], 'W')} of leakage"
    )


def _efficiency(result: Result) -> str:
    own = result.efficiency
    return (
        f"{own['tops']:.3g} TOPS of a peak of {own['peak_tops']:.3g}, {own['tops_per_w']:.3g} TOPS/W, "
        f"{own['tops_per_mm2']:.3g} TOPS/mm2"
    )


def _mapping(result: Result) -> Iterator[str]:
    """Where things lie: a line for the machine, for each part that holds something, and for the copies."""
    mapping = result.mapping
    pus = mapping["pus_per_layer"]
    yield f"{_count(mapping['chips_used'], 'chip')}, {_count(pus, 'PU')} a layer, {mapping['idle_pus']} idle"
    for name, use in mapping["parts"].items():
        share = use["used"] / use["total"]
        wasted = f", {use['wasted']:,.0f} of them wasted" if use["wasted"] >= 0.5 else ""
        yield f"{name}: {use['used']:,} of {use['total']:,} {use['unit']} ({share:.1%}){wasted}"
    if copies := mapping["replicas"].values():
        instead = _whole_instead(mapping["whole_instead"])
        yield f"copies of the weights: {_span(min(copies), max(copies))}{instead}"


def _whole_instead(whole: Mapping[str, Any] | None) -> str:
    """What the same mapping gives with whole units, where cells were counted."""
    if whole is None:
        return ""
    if not whole["feasible"]:
        return f" by cells; in whole units the model does not fit, {whole['short']} a PU short"
    return (
        f" by cells; in whole units {whole['copies']:g}, with {whole['interval_cycles']:g} cycles between "
        "two tokens of the slowest stage"
    )


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'s' * (number != 1)}"


def _programming(result: Result) -> str:
    own = result.programming
    return f"{si_text(own['time_ns'] * 1e-9, 's')} and {si_text(own['energy_pj'] * 1e-12, 'J')}, once"


def _bars(table: Mapping[str, float], total: float, unit: str, scale: float) -> Iterator[str]:
    """The largest rows of a breakdown, each with its share as a bar."""
    rows = sorted(table.items(), key=lambda row: -row[1])
    shown = rows[:TOP]
    if rest := rows[TOP:]:
        shown.append((f"{len(rest)} others", sum(value for _, value in rest)))
    widest = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        share = value / total if total else 0.0
        bar = "#" * round(share * BAR)
        yield f"{'':{LABEL}}{name:<{widest}}  {si_text(value * scale, unit):>9}  {share:6.1%}  {bar}".rstrip()


def _shares(table: Mapping[str, float], total: float) -> str:
    rows = sorted(table.items(), key=lambda row: -row[1])[:TOP]
    return ", ".join(f"{name} {value / total:.1%}" for name, value in rows) if total else "none"


def _span(low: float, high: float) -> str:
    return f"{low:.3g}" if low == high else f"{low:.3g} to {high:.3g}"


def _row(label: str, text: str) -> Iterator[str]:
    """A label and its text, wrapped under itself."""
    lines = textwrap.wrap(text, WIDTH - LABEL, break_long_words=False) or [""]
    yield f"{label:<{LABEL}}{lines[0]}"
    for line in lines[1:]:
        yield f"{'':{LABEL}}{line}"
