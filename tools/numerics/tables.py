"""The tables of docs/numerics.md, as markdown; every figure is measured when the table is made."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from archsim.cost.entry import Section
from archsim.crossbar.error_rate import ErrorRates, deviations, error_rates, sigma_of
from archsim.parts.arithmetic import (
    SLC_WRITE_NOISE_KINDS,
    AdditiveNoise,
    ArithmeticModel,
    Gaussian,
    MultiplicativeNoise,
)
from numerics.measure import (
    MODES,
    NO_ADC,
    Settings,
    error_of_mean,
    kept_in_array,
    model,
    outcome,
    preset_noise,
)

RATE = 0.0404
CODINGS = ("offset", "differential")
GAUSSIANS: dict[str, type[Gaussian]] = {
    "gaussian_multiplicative": MultiplicativeNoise,
    "gaussian_additive": AdditiveNoise,
}
RELATIVE: Settings = {"kind": "gaussian_multiplicative", "sigma": 0.025}
EVERYWHERE: Settings = {"kind": "gaussian_additive", "sigma": 0.025}
WIDE: Settings = {"kind": "gaussian_multiplicative", "sigma": 0.1}
KINDS: tuple[Settings, ...] = (
    {"kind": "gaussian_multiplicative", "bit_error_rate": RATE, "cell_bits": 2},
    RELATIVE,
    {"kind": "gaussian_additive", "bit_error_rate": RATE, "cell_bits": 2},
    {"kind": "gaussian_weight", "sigma": 0.025},
    {"kind": "clipformer_write", "gamma": 3.0, "sigma": 0.02},
    {"kind": "rram_wan2022", "seconds": 1.0},
    {"kind": "rram_wan2022", "seconds": 86400.0},
)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A markdown table; the first column is text, the others are figures."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(share: float) -> str:
    """Two digits; 0 only where it is exactly 0."""
    if share == 0:
        return "0"
    if share < 1e-20:
        return "< 1e-18 %"
    if share < 1e-4:
        return f"{100 * share:.1e} %"
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.0f} %"


def conventions() -> str:
    """ADC ranges on random data and on the largest."""
    rows = []
    for mode, rate in MODES.items():
        for name in ("clip", "flip", "full_scale", "calibrated"):
            random = outcome(rate, {"adc.range": name})
            worst = outcome(rate, {"adc.range": name}, worst=True)
            shares = (random.saturated, random.error, worst.saturated, worst.error)
            rows.append([f"{mode}, `{name}`", *map(percent, shares)])
    head = ("", "random: saturated", "random: error", "largest: saturated", "largest: error")
    return table(head, rows)


def weight_codings() -> str:
    """Cells, and what a step or a deviation of a converter does."""
    rows = []
    for coding in (*CODINGS, "twos_complement"):
        arithmetic = ArithmeticModel(weights=coding)
        for mode, rate in MODES.items():
            if (coding, mode) == ("twos_complement", "MLC"):
                continue
            settings: Settings = {"arithmetic.weights": coding}
            if coding == "twos_complement":
                settings["cell.bits"] = 1
            errors = [
                outcome(rate, settings | {"adc.range": "full_scale"}).error,
                outcome(rate, settings, {"write": RELATIVE}).error,
                outcome(rate, settings | NO_ADC, {"write": RELATIVE}).error,
                outcome(rate, settings | NO_ADC, {"write": EVERYWHERE}).error,
            ]
            cells = arithmetic.cells_per_weight(8, 1 if mode == "SLC" else 2)
            rows.append([f"`{coding}`, {mode}", str(cells), *map(percent, errors)])
    noisy = ("relative .025, `clip`", "relative .025, no ADC", "additive .025, no ADC")
    return table(("", "cells a weight", "`full_scale`", *noisy), rows)


def input_codings() -> str:
    """Reads, and what the converter makes of their sums."""
    rows = []
    for coding in ("twos_complement", "sign_magnitude", "two_pass"):
        settings: Settings = {"arithmetic.inputs": coding}
        found = [outcome(rate, settings) for rate in MODES.values()]
        noisy = [outcome(rate, settings, {"write": RELATIVE}).error for rate in MODES.values()]
        reads = ArithmeticModel(inputs=coding).reads_per_input(8)
        figures = [found[0].error, found[1].error, found[1].saturated, *noisy]
        rows.append([f"`{coding}`", str(reads), *map(percent, figures)])
    head = ("", "reads", "SLC", "MLC", "MLC saturated", "SLC, sigma .025", "MLC, sigma .025")
    return table(head, rows)


def weights_and_cells() -> str:
    """Equation 5 on whole weights beside the same sigma in each cell."""
    sigma = rate_sigma()
    rows = []
    for value in (0.025, sigma):
        for coding in CODINGS:
            for mode, rate in MODES.items():
                settings: Settings = {"arithmetic.weights": coding}
                errors = [
                    outcome(rate, settings | adc, {"write": {"kind": kind, "sigma": value}}).error
                    for kind in ("gaussian_weight", "gaussian_multiplicative")
                    for adc in (NO_ADC, {})
                ]
                rows.append([f"sigma {value:.3g}, `{coding}`, {mode}", *map(percent, errors)])
    return table(("", "weights, no ADC", "weights, `clip`", "cells, no ADC", "cells, `clip`"), rows)


def rate_sigma() -> float:
    """Sigma, relative to the level, of the preset's bit error rate."""
    given = MultiplicativeNoise(kind="gaussian_multiplicative", bit_error_rate=RATE)
    return sigma_of(given, 2)


def sigma_of_rate() -> str:
    """The sigma for an error rate of 4.04 %, by bits of a cell."""
    rows = []
    for kind, cls in GAUSSIANS.items():
        for name in ("cell_error_rate", "bit_error_rate"):
            found = [sigma_of(cls(kind=kind, **{name: RATE}), bits) for bits in (1, 2, 3, 4)]
            rows.append([f"`{kind}`, `{name}`", *(f"{sigma:.3g}" for sigma in found)])
    return table(("", "1-bit cells", "2-bit", "3-bit", "4-bit"), rows)


def rate_of_sigma() -> str:
    """Error rates for a sigma, cells / bits, by bits of a cell."""
    rows = []
    for kind, cls in GAUSSIANS.items():
        for sigma in (0.025, 0.05, 0.1, 0.2):
            found = [rates_of(cls(kind=kind, sigma=sigma), bits) for bits in (1, 2, 3, 4)]
            rows.append([f"`{kind}`, sigma {sigma}", *map(both, found)])
    return table(("cells / bits", "1-bit cells", "2-bit", "3-bit", "4-bit"), rows)


def rates_of(noise: Section, cell_bits: int) -> ErrorRates:
    """Error rates of a kind that acts on single cells, on the preset's device."""
    return error_rates(deviations(noise, cell_bits, model().cell.device))


def both(rates: ErrorRates) -> str:
    """Error rate of the cells and of their bits."""
    return " / ".join(dict.fromkeys(map(percent, (rates.cell, rates.bit))))


def all_kinds() -> str:
    """Every kind of write noise: how often cells are misread, and how far the product is off."""
    rows = []
    for noise in KINDS:
        section = SLC_WRITE_NOISE_KINDS[noise["kind"]].model_validate(noise)
        per_cell = noise["kind"] != "gaussian_weight"
        figures = []
        for mode, rate in MODES.items():
            bits = 1 if mode == "SLC" else 2
            figures.append(both(rates_of(section, bits)) if per_cell else "-")
            figures.append(percent(outcome(rate, None, {"write": noise}).error))
        rows.append([described(noise), *figures])
    head = ("", "SLC misread, cells / bits", "SLC error", "MLC misread, cells / bits", "MLC error")
    return table(head, rows)


def described(noise: Settings) -> str:
    """A kind of noise with its numbers."""
    numbers = ", ".join(f"{name} {value:g}" for name, value in noise.items() if name != "kind")
    return f"`{noise['kind']}`, {numbers}"


def shares_of_slc() -> str:
    """The preset's noise, by the share of the columns that is SLC; and with SLC cells as noisy as MLC."""
    rows = []
    same = preset_noise() | {"slc_write": "same"}
    for name, noise in (("the preset", preset_noise()), ("`slc_write: same`", same)):
        found = [outcome(rate, None, noise).error for rate in (0, 0.05, 0.3, 0.5, 1)]
        rows.append([name, *map(percent, found)])
    return table(("SLC share", "0", "5 %", "30 %", "50 %", "100 %"), rows)


def reads_and_writes() -> str:
    """The mean of several products, with deviations of what is written and of what is read."""
    rows = []
    for name in ("write", "read"):
        for mode, rate in MODES.items():
            found = [error_of_mean(rate, {name: WIDE}, count) for count in (1, 4, 16)]
            rows.append([f"`{name}`, {mode}", *map(percent, found)])
    return table(("mean of", "1 product", "4", "16"), rows)


def wires() -> str:
    """Voltage lost in an array, and what it does to products."""
    rows = []
    for on_ohm in (6000.0, 100000.0):
        for wire_ohm in (0.01, 0.1, 1.0):
            settings: Settings = {"cell.device": {"on_ohm": on_ohm, "on_off_ratio": 150.0}}
            kept = kept_in_array(settings, wire_ohm)
            noise = {"ir_drop": {"wire_ohm": wire_ohm}}
            errors = [outcome(rate, settings, noise).error for rate in MODES.values()]
            shown = [f"{100 * share:.1f} %" for share in kept]
            rows.append([f"{on_ohm:g} ohm, wire {wire_ohm:g} ohm", *shown, *map(percent, errors)])
    return table(("cell, wire", "nearest keeps", "mean", "farthest", "SLC error", "MLC error"), rows)


def small_effects() -> str:
    """Stuck cells and the current of the lowest level."""
    rows = []
    kept: Settings = {"cell.device.off_current": "kept"}
    for name, settings, noise in (
        ("1 % of the cells stuck at the lowest level", {}, {"stuck": {"lowest": 0.01}}),
        ("1 % stuck at the highest", {}, {"stuck": {"highest": 0.01}}),
        ("current of the lowest level kept, on/off 150", kept, {}),
        ("the same, on/off 1000", kept | {"cell.device.on_off_ratio": 1000.0}, {}),
    ):
        errors = [outcome(rate, settings, noise).error for rate in MODES.values()]
        rows.append([name, *map(percent, errors)])
    return table(("", "SLC error", "MLC error"), rows)


def noise_kinds() -> str:
    """The kinds of noise, as their models describe them."""
    rows = []
    for kind, cls in SLC_WRITE_NOISE_KINDS.items():
        keys = [f"`{name}`" for name in cls.model_fields if name not in ("kind", "sources")]
        text = " ".join((cls.__doc__ or "").split()).replace("``", "`")
        rows.append([f"`{kind}`", ", ".join(keys), text])
    lines = [("kind", "keys", "meaning"), ("---", "---", "---"), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def array_rows() -> int:
    """Rows of the preset's arrays."""
    return model().array.rows
