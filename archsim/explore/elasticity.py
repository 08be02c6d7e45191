"""How much a result depends on each number that is assumed: found by changing it and running again."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from archsim.cost.entry import Cost
from archsim.errors import MappingError
from archsim.explore.evaluate import Evaluator
from archsim.explore.store import Outcome
from archsim.explore.subject import Subject
from archsim.hardware.machine import Assumption, HardwareModel

STEP = 0.1
"""By how much of itself a number is raised; a whole number by 1 at least."""

MEASURES = ("latency_ns", "inferences_per_s", "energy_pj", "area_mm2")
"""The metrics that elasticities are of."""


@dataclass(frozen=True, slots=True)
class Elasticity:
    """What becomes of a result when an assumption changes.

    Args: values: by metric, the relative change of the metric over that of the number, in logarithms: 1 where
        both double together; empty where none could be found; reason: why not, '' where it could.
    """

    assumption: Assumption
    values: Mapping[str, float]
    reason: str = ""

    @property
    def largest(self) -> float:
        """The strongest dependence, without its sign."""
        return max(map(abs, self.values.values()), default=0.0)


def elasticities(
    subject: Subject, settings: Mapping[str, Any], done: Callable[[], None] = lambda: None
) -> tuple[Elasticity, ...]:
    """The elasticity of each assumption of a machine, the strongest first.

    Args: settings: values by path that the machine has besides those of its file; done: told after each.
    Raises: HardwareError: when settings are wrong; MappingError: when the machine cannot run the trace.
    """
    machine = subject.machine(settings)
    evaluator = Evaluator(subject)
    base = _outcome(evaluator, settings)
    if base.status != "ok":
        raise MappingError(base.reason)
    found = []
    for assumption in machine.assumptions():
        found.append(_elasticity(evaluator, settings, base, assumption, machine.model))
        done()
    return tuple(sorted(found, key=lambda each: -each.largest))


def _elasticity(
    evaluator: Evaluator,
    settings: Mapping[str, Any],
    base: Outcome,
    assumption: Assumption,
    model: HardwareModel,
) -> Elasticity:
    """Raise the number and run; lower it where the raised one is not feasible."""
    numbers = dict(_numbers(assumption.path, _look_up(model, assumption.path)))
    if not numbers:
        return Elasticity(assumption, {}, "there is no number other than zero")
    reason = ""
    for sign in (1, -1):
        changed = {path: _moved(value, sign) for path, value in numbers.items()}
        outcome = _outcome(evaluator, {**settings, **changed})
        if outcome.status == "ok":
            path, value = next(iter(numbers.items()))
            step = math.log(changed[path] / value)
            return Elasticity(assumption, _slopes(base, outcome, step))
        reason = reason or outcome.reason
    return Elasticity(assumption, {}, reason)


def _slopes(base: Outcome, outcome: Outcome, step: float) -> dict[str, float]:
    """Logarithmic changes of the metrics over that of the number."""
    slopes = {}
    for name in MEASURES:
        before, after = base.metrics[name], outcome.metrics[name]
        if before and after:
            slopes[name] = math.log(after / before) / step
    return slopes


def _outcome(evaluator: Evaluator, settings: Mapping[str, Any]) -> Outcome:
    outcome = evaluator.evaluate(settings, lambda key: False)
    assert isinstance(outcome, Outcome), "nothing is known beforehand"
    return outcome


def _look_up(model: HardwareModel, path: str) -> Any:
    """What stands at a dotted path of a machine."""
    value: Any = model
    for step in path.split("."):
        value = value[step] if isinstance(value, dict) else getattr(value, step, None)
    return value


def _numbers(path: str, value: Any) -> Iterator[tuple[str, float]]:
    """The numbers other than zero at a path: one, or those of a cost, which are raised together."""
    if isinstance(value, Cost):
        for name in ("energy_pj", "active_power_mw", "leakage_mw", "area_mm2"):
            yield from _numbers(f"{path}.{name}", getattr(value, name))
    elif isinstance(value, int | float) and not isinstance(value, bool) and value:
        yield path, value


def _moved(value: float, sign: int) -> float:
    """A number that is larger, or smaller, by the step."""
    if isinstance(value, int):
        return max(value + sign * max(1, round(STEP * value)), 1)
    return value * (1 + sign * STEP)
