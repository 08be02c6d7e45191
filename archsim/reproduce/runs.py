"""The simulations behind a comparison: what is run, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.hardware.technology import at_technology
from archsim.mapping.build import map_trace
from archsim.pipeline import simulate
from archsim.results.record import Result
from archsim.workload.generate import generate
from archsim.workload.operations import Trace

MOST_CHIPS = 128
"""As many are tried where a run takes as many chips as it needs."""


@dataclass(frozen=True, slots=True)
class Run:
    """One simulation of a preset on a model without its output head, as the papers take it.

    Args: settings: paths and values that replace those of the YAML; fit: whether as many chips are taken as
        the model needs; stream: whether throughput, and leakage at it, are wanted; technology_nm: the node
        that all costs are scaled to, None for the preset's own.
    """

    preset: str
    model: str
    tokens: int
    settings: tuple[tuple[str, Any], ...] = ()
    fit: bool = False
    stream: bool = True
    technology_nm: float | None = None

    def execute(self, folder: Path) -> Result | str:
        """The result, or why the machine cannot run it.

        Args: folder: of the presets.
        Raises: HardwareError: when the preset is broken.
        """
        trace = model_trace(self.model, self.tokens)
        try:
            return simulate(self._fitting(folder, trace), trace, stream=self.stream)
        except MappingError as error:
            return "; ".join(str(finding.message) for finding in error.findings)

    def machine(self, folder: Path, chips: int | None = None) -> Machine:
        """The preset with the settings; ``chips`` in place of its own."""
        settings = dict(self.settings) | ({} if chips is None else {"system.chips": chips})
        machine = load_hardware(folder / f"{self.preset}.yaml", settings)
        return machine if self.technology_nm is None else at_technology(machine, self.technology_nm)

    def _fitting(self, folder: Path, trace: Trace) -> Machine:
        """The machine; where ``fit`` is asked for, of the least chips that hold the trace.

        Raises: MappingError: when MOST_CHIPS do not.
        """
        machine = self.machine(folder)
        if not self.fit:
            return machine
        chips = machine.chips
        while True:
            try:
                map_trace(machine, trace)
            except MappingError:
                chips += 1
                if chips > MOST_CHIPS:
                    raise
                machine = self.machine(folder, chips)
            else:
                return machine


@lru_cache(maxsize=32)
def model_trace(name: str, tokens: int) -> Trace:
    """The trace of a model without its output head."""
    return generate(name, tokens=tokens, head=False)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What came of the runs.

    Args: folder: of the presets; found: results, or the reasons why there are none.
    """

    folder: Path
    found: Mapping[Run, Result | str]

    def result(self, run: Run) -> Result | None:
        """The result, None where the machine cannot run it."""
        found = self.found[run]
        return None if isinstance(found, str) else found

    def sure(self, run: Run) -> Result:
        """The result of a run that the comparison rests on.

        Raises: ArchsimError: when the machine cannot run it.
        """
        found = self.found[run]
        if isinstance(found, str):
            raise ArchsimError(f"{run.preset} cannot run {run.model}, {run.tokens} tokens: {found}")
        return found

    def reason(self, run: Run) -> str:
        """Why there is no result, '' where there is one."""
        found = self.found[run]
        return found if isinstance(found, str) else ""
