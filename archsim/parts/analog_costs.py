"""What an analog RRAM module costs: a table of powers as energies of actions, for any geometry.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), Table 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archsim.cost.entry import Charge, Component, Cost, CostTable

if TYPE_CHECKING:
    from archsim.parts.analog_model import AnalogModel


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table, and what becomes of it in the module at hand.

    Args: actions: names, with the energy of each relative to the reference's; counted, here: actions of
        one read of the whole reference module, and of this one; size: of this module's components
        relative to the reference's, for area and leakage; busy_ns: for how long a read keeps it busy.
    """

    component: str
    cost: Cost
    actions: dict[str, float]
    counted: int
    here: float
    size: float
    busy_ns: float


def cost_table(name: str, model: AnalogModel, interval_ns: float) -> CostTable:
    """The costs of one module.

    An action's energy is its row's power times the time of a reference read, over what the row counts
    (cells, wordlines, bitlines) in the reference module. The peak is that of all arrays reading with
    the costlier conversions, every ``interval_ns``: with as many ones as the powers hold for, or as many as
    an access drives.
    """
    actions: dict[str, tuple[Charge, ...]] = {}
    components: list[Component] = []
    for row in _rows(model):
        component = f"{name}.{row.component}"
        energy = row.cost.action_pj(row.busy_ns, row.counted)
        for action, factor in row.actions.items():
            actions[f"{component}.{action}"] = (Charge(component, energy * factor),)
        peak_power_mw = energy * max(row.actions.values()) * row.here / interval_ns
        components.append(
            Component(component, row.cost.area_mm2 * row.size, peak_power_mw, row.cost.leakage_mw * row.size)
        )
    cells = model.arrays * model.array.rows * model.array.columns
    return CostTable(actions, tuple(components), cells)


def _rows(model: AnalogModel) -> tuple[_Row, ...]:
    adc, reference = model.adc, model.reference
    wordlines, reference_wordlines = model.arrays * model.array.rows, reference.arrays * reference.rows
    bitlines, reference_bitlines = model.arrays * model.array.columns, reference.arrays * reference.columns
    cells, reference_cells = wordlines * model.array.columns, reference_wordlines * reference.columns
    converters = model.arrays / adc.arrays_per_adc * reference.arrays_per_adc / reference.arrays
    driven = _driven_at_peak(model)
    conversions = {"slc": adc.energy_scale(adc.bits.slc), "mlc": adc.energy_scale(adc.bits.mlc)}

    def of_wordlines(component: str, cost: Cost, action: str, here: float) -> _Row:
        size = wordlines / reference_wordlines
        return _Row(component, cost, {action: 1.0}, reference_wordlines, here, size, reference.read_ns)

    def of_bitlines(component: str, cost: Cost, actions: dict[str, float], size: float) -> _Row:
        return _Row(component, cost, actions, reference_bitlines, bitlines, size, reference.read_ns)

    columns = bitlines / reference_bitlines
    return (
        # cells conduct for as long as the read lasts
        _Row(
            "array",
            model.array.cost,
            {"cell_read": 1.0},
            reference_cells,
            cells * driven,
            cells / reference_cells,
            model.array.read_ns,
        ),
        of_wordlines("input_register", model.input_register, "read", wordlines),
        of_wordlines("wordline_driver", model.wordline_driver, "drive", wordlines * driven),
        of_bitlines("sample_hold", model.sample_hold, {"sample": 1.0}, columns),
        of_bitlines("adc", adc.cost, conversions, converters * adc.area_scale),
        of_bitlines("shift_add", model.shift_add, {"add": 1.0}, converters),
        of_bitlines("output_register", model.output_register, {"write": 1.0}, columns),
    )


def _driven_at_peak(model: AnalogModel) -> float:
    """Wordlines that an access drives at most, over those driven where the powers hold."""
    array = model.array
    if array.wordlines_per_access is None:
        return 1.0
    return min(array.wordlines_per_access, array.rows) / (array.rows * model.activity.reference_ones)
