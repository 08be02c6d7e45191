"""A machine as it would be at another technology node, so that machines are compared at one."""

from __future__ import annotations

from typing import Any

from archsim.cost.entry import Cost, Section
from archsim.cost.technology import area_factor, energy_factor
from archsim.hardware.machine import Machine, build_machine

WRITE_ENERGY = "write_energy_pj"
"""The field of memories that stands beside their cost, which is that of reading."""


def at_technology(machine: Machine, nm: float) -> Machine:
    """The machine with all its costs scaled to ``nm``.

    Areas take the area factor; energies, powers and leakage the energy factor at nominal voltages. Times stay
    as they are: a clock is a choice, and reads of RRAM do not follow the logic. So do the energies of
    programming the cells of analog arrays, which the device decides.
    Raises: HardwareError: when one of the two nodes has no factor.
    """
    model = machine.model
    from_nm = model.system.technology_nm
    if nm == from_nm:
        return machine
    scaled = _scaled(model, area_factor(from_nm, nm), energy_factor(from_nm, nm), f"{from_nm:g} to {nm:g} nm")
    system = scaled.system.model_copy(update={"technology_nm": float(nm)})
    return build_machine(scaled.model_copy(update={"system": system}), machine.file)


def _scaled(value: Any, area: float, energy: float, nodes: str) -> Any:
    """A section, or what stands in one, with the costs in it scaled."""
    if isinstance(value, Cost):
        return value.model_copy(
            update={
                "energy_pj": None if value.energy_pj is None else value.energy_pj * energy,
                "active_power_mw": None if value.active_power_mw is None else value.active_power_mw * energy,
                "leakage_mw": value.leakage_mw * energy,
                "area_mm2": value.area_mm2 * area,
                "source": f"{value.source}; scaled from {nodes} (Stillmaker and Baas 2017)",
            }
        )
    if isinstance(value, Section):
        fields = {name: getattr(value, name) for name in type(value).model_fields if name != "sources"}
        changed = {name: _scaled(inner, area, energy, nodes) for name, inner in fields.items()}
        if WRITE_ENERGY in fields:
            changed[WRITE_ENERGY] = fields[WRITE_ENERGY] * energy
        return value.model_copy(update=changed)
    if isinstance(value, dict):
        return {name: _scaled(inner, area, energy, nodes) for name, inner in value.items()}
    return value
