"""The product of one matrix on the arrays of a machine, mode by mode, as a table."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from archsim.units import si_text

WIDTH = 100
LABEL = 13
ROW = 34
COLUMN = 16
CLIPPED = "numbers clipped between factors"


def crossbar_text(shown: dict[str, Any]) -> str:
    """The table, ending in a newline.

    Args: shown: as ``archsim crossbar --json`` prints it.
    """
    return "\n".join(_lines(shown)) + "\n"


def _lines(shown: dict[str, Any]) -> Iterator[str]:
    weights, inputs, arrays = shown["weights"], shown["inputs"], shown["arrays"]
    factors = f", in two factors of rank {shown['rank']}" if shown["rank"] else ""
    vectors = _count(shown["batch"], "vector")
    yield f"{shown['hardware']}: {vectors} times {shown['rows']} x {shown['columns']} weights{factors}"
    yield ""
    cells = weights["cells"]
    yield from _row(
        "weights",
        f"{weights['bits']} b, {_words(weights['coding'])}, scales {_words(weights['scales'])}; "
        f"{cells['slc']} SLC or {cells['mlc']} MLC cells of {weights['cell_bits']['mlc']} b each",
    )
    yield from _row(
        "inputs", f"{inputs['bits']} b, {_words(inputs['coding'])}: {_count(inputs['reads'], 'read')}"
    )
    limit = arrays["wordlines_per_access"]
    access = "all at once" if limit is None else f"{limit} an access at most"
    blocks = -(-shown["rows"] // arrays["rows"])
    yield from _row("arrays", f"{arrays['rows']} wordlines, {access}; {_count(blocks, 'row block')}")
    for each in shown["converters"]:
        yield from _row(f"{each['mode'].upper()} ADC", _converter(each, shown["adc"]))
    yield from _noise(shown["noise"])
    yield ""
    yield from _table(shown["modes"])
    for mode, values in shown["modes"].items():
        if values["refused"]:
            yield from _row("not costed", f"{_heading(mode, values)}: {values['refused']}")


def _converter(each: dict[str, Any], adc: dict[str, Any]) -> str:
    factor = f" for the {each['factor']} factor" if each["factor"] else ""
    step = each["step_levels"]
    steps = f"{step:.6g} level{'s' * (step != 1)}"
    return (
        f"{each['bits']} b, {_words(adc['range'])}, {adc['rounding']}{factor}: {each['codes']} codes {steps} "
        f"apart, {each['least_levels']:.6g} to {each['most_levels']:.6g}; the full sum is "
        f"{each['full_sum_levels']}"
    )


def _noise(noise: dict[str, Any]) -> Iterator[str]:
    """Written and read, each mode apart where they differ; other effects where there are any."""
    for when in ("write", "read"):
        slc, mlc = noise[when]["slc"], noise[when]["mlc"]
        if slc == mlc:
            yield from _row(f"{when} noise", slc)
        else:
            yield from _row(f"{when} noise", f"SLC {slc}")
            yield from _row("", f"MLC {mlc}")
    if noise["stuck_lowest"] or noise["stuck_highest"]:
        shares = (
            f"{noise['stuck_lowest']:.3g} at the lowest level, {noise['stuck_highest']:.3g} at the highest"
        )
        yield from _row("stuck cells", shares)
    if noise["wire_ohm"]:
        yield from _row("IR drop", f"{noise['wire_ohm']:g} ohm of wire from cell to cell")


def _table(modes: dict[str, Any]) -> Iterator[str]:
    yield f"{'':{ROW}}" + "".join(f"{_heading(*each):>{COLUMN}}" for each in modes.items())
    for label, value in _ROWS.items():
        if label != CLIPPED or any(each["clipped"] for each in modes.values()):
            yield f"{label:{ROW}}" + "".join(f"{value(each):>{COLUMN}}" for each in modes.values())


def _heading(mode: str, values: dict[str, Any]) -> str:
    return f"{100 * values['slc_rate']:.3g}% SLC" if mode == "hybrid" else mode.upper()


def _share(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.3g}%"


def _cost(name: str, unit: str, factor: float) -> Callable[[dict[str, Any]], str]:
    return lambda values: "-" if values["cost"] is None else si_text(values["cost"][name] * factor, unit)


_ROWS: dict[str, Callable[[dict[str, Any]], str]] = {
    "conversions": lambda values: f"{values['conversions']:,}",
    "  saturated": lambda values: f"{values['saturated']:,}",
    CLIPPED: lambda values: f"{values['clipped']:,}",
    "error, RMS, of the spread": lambda values: _share(values["error"]["relative_rms"]),
    "error, largest, of the spread": lambda values: _share(values["error"]["relative_largest"]),
    "error, largest": lambda values: f"{values['error']['largest']:,.6g}",
    "error of real numbers, RMS": lambda values: _share(values["error_of_real"]["relative_rms"]),
    "arrays": lambda values: "-" if values["cost"] is None else f"{values['cost']['arrays']:,}",
    "energy of the arrays": _cost("array_energy_pj", "J", 1e-12),
    "  a MAC": _cost("array_energy_per_mac_pj", "J", 1e-12),
    "energy of buses and links": _cost("transfer_energy_pj", "J", 1e-12),
    "time of the batch": _cost("latency_ns", "s", 1e-9),
}


def _row(label: str, text: str) -> list[str]:
    head = f"{label:{LABEL}}"
    return textwrap.wrap(text, WIDTH, initial_indent=head, subsequent_indent=" " * LABEL)


def _count(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _words(name: str) -> str:
    return {"twos_complement": "two's complement"}.get(name, name.replace("_", " "))
