"""Table 2's analog column as energies of actions, areas and peaks, in the reference geometry and others."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from archsim.cost.entry import Component
from archsim.hardware.machine import Machine

Load = Callable[..., Machine]

ADC = "pu.parts.analog.adc"


def components(machine: Machine) -> dict[str, Component]:
    return {component.name: component for component in machine.parts["analog"].costs.components}


def energies(machine: Machine) -> dict[str, float]:
    actions = machine.parts["analog"].costs.actions
    assert all(len(charges) == 1 for charges in actions.values())
    return {action: charges[0].energy_pj for action, charges in actions.items()}


def test_energy_of_each_action(load: Load) -> None:
    # power x 100 ns of a read over what the row counts in 512 arrays of 64 x 128
    wordlines, bitlines = 512 * 64, 512 * 128
    assert energies(load()) == pytest.approx(
        {
            "analog.array.cell_read": 60.78 * 100 / (512 * 64 * 128),
            "analog.input_register.read": 0.13 * 100 / wordlines,
            "analog.wordline_driver.drive": 297.71 * 100 / wordlines,
            "analog.sample_hold.sample": 12e-6 * 100 / bitlines,
            # a conversion of 7 bits: 512 mW / 512 / 1.28 GS/s = 0.78125 pJ; of 6 bits, half
            "analog.adc.slc": 0.78125 / 2,
            "analog.adc.mlc": 0.78125,
            "analog.shift_add.add": 59.54 * 100 / bitlines,
            "analog.output_register.write": 0.53 * 100 / bitlines,
        },
        rel=1e-12,
    )


def test_an_action_charges_its_component(load: Load) -> None:
    names = {component.name for component in load().parts["analog"].costs.components}
    for action, (charge,) in load().parts["analog"].costs.actions.items():
        assert charge.component == action.rpartition(".")[0]
        assert charge.component in names


def test_the_sums_of_table_2(load: Load) -> None:
    table = load().parts["analog"].costs
    # 0.048 + 0.00065 + 0.00129 + 0.02 + 0.30 + 0.10 + 0.00006
    assert sum(component.area_mm2 for component in table.components) == pytest.approx(0.47)
    # 60.78 + 0.13 + 0.53 + 297.71 + 512.00 + 59.54 + 0.000012
    assert sum(component.peak_power_mw for component in table.components) == pytest.approx(930.690012)
    # 1 % of the converters', registers', drivers' and adders' power
    leakage = 0.01 * (512 + 0.13 + 0.53 + 297.71 + 59.54)
    assert sum(component.leakage_mw for component in table.components) == pytest.approx(leakage)
    assert (table.cells, table.write_action) == (512 * 64 * 128, "")


def test_one_more_bit_doubles_conversion_and_converter(load: Load) -> None:
    eight = load(f"{ADC}.bits.mlc=8")
    assert energies(eight)["analog.adc.mlc"] == 2 * 0.78125
    assert energies(eight)["analog.adc.slc"] == 0.78125 / 2
    assert components(eight)["analog.adc"].area_mm2 == 2 * 0.30
    assert components(eight)["analog.adc"].leakage_mw == 2 * 5.12
    assert components(eight)["analog.adc"].peak_power_mw == pytest.approx(1024)
    # one converter serves both modes and is built for the finer one; the finer one is the peak
    swapped = load(f"{ADC}.bits.slc=9")
    assert components(swapped)["analog.adc"].area_mm2 == 4 * 0.30
    assert components(swapped)["analog.adc"].peak_power_mw == pytest.approx(2048)


@pytest.mark.parametrize(
    "overrides",
    [
        ("pu.parts.analog.arrays=256",),
        ("pu.parts.analog.array.rows=128", "pu.parts.analog.array.columns=256"),
        ("pu.parts.analog.count=3",),
        ("system.clock_ghz=0.5",),
        (f"{ADC}.rate_gs_per_s=0.64",),
        (f"{ADC}.arrays_per_adc=4",),
        ("pu.parts.analog.cell.bits=4",),
    ],
)
def test_an_action_costs_the_same_in_any_geometry(load: Load, overrides: tuple[str, ...]) -> None:
    assert energies(load(*overrides)) == energies(load())


def test_cells_conduct_for_as_long_as_the_read_lasts(load: Load) -> None:
    preset, slow = energies(load()), energies(load("pu.parts.analog.array.read_ns=200"))
    assert slow.pop("analog.array.cell_read") == pytest.approx(2 * preset.pop("analog.array.cell_read"))
    assert slow == preset


def test_half_the_arrays_are_half_the_module(load: Load) -> None:
    half = components(load("pu.parts.analog.arrays=256"))
    for name, component in components(load()).items():
        assert half[name].area_mm2 == pytest.approx(component.area_mm2 / 2)
        assert half[name].peak_power_mw == pytest.approx(component.peak_power_mw / 2)
        assert half[name].leakage_mw == pytest.approx(component.leakage_mw / 2)


def test_rows_and_columns_scale_what_they_count(load: Load) -> None:
    tall = components(load("pu.parts.analog.array.rows=128"))
    wide = components(load("pu.parts.analog.array.columns=256", f"{ADC}.rate_gs_per_s=2.56"))
    for name, component in components(load()).items():
        of_rows = name in ("analog.array", "analog.input_register", "analog.wordline_driver")
        of_columns = name in ("analog.array", "analog.output_register", "analog.sample_hold")
        assert tall[name].area_mm2 == pytest.approx(component.area_mm2 * (2 if of_rows else 1))
        assert wide[name].area_mm2 == pytest.approx(component.area_mm2 * (2 if of_columns else 1))


def test_a_shared_converter_takes_less_area_and_works_longer(load: Load) -> None:
    shared = components(load(f"{ADC}.arrays_per_adc=4"))
    assert shared["analog.adc"].area_mm2 == pytest.approx(0.30 / 4)
    assert shared["analog.shift_add"].area_mm2 == pytest.approx(0.10 / 4)
    assert shared["analog.array"].area_mm2 == 0.048
    # 400 ns between two reads in place of 100: the same energies in four times the time
    assert sum(component.peak_power_mw for component in shared.values()) == pytest.approx(930.690012 / 4)


def test_a_given_energy_is_taken_as_it_is(load: Load) -> None:
    given = load(
        "pu.parts.analog.wordline_driver.active_power_mw=null", "pu.parts.analog.wordline_driver.energy_pj=2"
    )
    assert energies(given)["analog.wordline_driver.drive"] == 2
    # all 32768 wordlines of a module every 100 ns
    assert components(given)["analog.wordline_driver"].peak_power_mw == pytest.approx(2 * 32768 / 100)
