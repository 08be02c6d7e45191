"""A result as a table for notebooks: plain HTML, in which no name can do anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import TYPE_CHECKING

from archsim.units import si_text

if TYPE_CHECKING:
    from archsim.results.record import Result

_SHOWN = 6
"""Rows of a breakdown; the others are added up."""


def result_html(result: Result) -> str:
    """The headline numbers, what energy and area consist of, and the warnings."""
    title = f"{result.workload['model']} on {result.hardware['name']}"
    rows = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in _rows(result)
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"


def _rows(result: Result) -> Iterator[tuple[str, str]]:
    """Names and texts, not escaped yet."""
    rate, energy, area = result.throughput, result.energy_pj, result.area_mm2
    yield "latency", f"{si_text(result.latency_ns['first_inference'] * 1e-9, 's')} an inference"
    yield "throughput", f"{rate['inferences_per_s']:,.1f} inferences/s, {rate['tokens_per_s']:,.0f} tokens/s"
    yield "energy", f"{si_text(energy['per_inference'] * 1e-12, 'J')} an inference"
    yield "", _shares(energy["by_component"], energy["per_inference"])
    yield "power", f"{si_text(result.power_w['average'], 'W')} on average"
    yield "area", f"{area['total']:,.1f} mm2"
    yield "", _shares(area["by_component"], area["total"])
    yield "efficiency", f"{result.efficiency['tops']:.3g} TOPS, {result.efficiency['tops_per_w']:.3g} TOPS/W"
    for warning in result.warnings:
        yield "warning", warning


def _shares(table: Mapping[str, float], total: float) -> str:
    """The largest rows of a breakdown as shares of the whole."""
    rows = sorted(table.items(), key=lambda row: (-row[1], row[0]))
    shown = [f"{name} {value / total:.1%}" for name, value in rows[:_SHOWN] if total and value]
    rest = sum(value for _, value in rows[_SHOWN:])
    return ", ".join([*shown, *([f"others {rest / total:.1%}"] if total and rest else [])])
