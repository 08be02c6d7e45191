"""HyFlexPIM's throughput against ASADI-INT8 and SPRINT."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from archsim.report.reproduction import Table
from archsim.reproduce.energy import WORKLOADS, slc
from archsim.reproduce.measures import at_full_rate, rate
from archsim.reproduce.runs import Answers, Run
from archsim.reproduce.study import Group, Measured

RATES = (0.05, 0.1, 0.3)
"""Shares of SLC at which the paper's networks keep their accuracy."""

_WHOLE = ("mapping.replication", "whole")
_BUS = ("pu.parts.analog.reduction", "bus")
_BASE = "ASADI-INT8"
_DATA = ("glue", "wikitext2")


def _run(preset: str, workload: str, *settings: tuple[str, Any]) -> Run:
    model, tokens = WORKLOADS[workload]
    return Run(preset, model, tokens, settings)


def _alone(preset: str, workload: str, *settings: tuple[str, Any]) -> Run:
    """A machine of which a stream tells no more than its busiest part, or takes half a minute to."""
    return replace(_run(preset, workload, *settings), stream=False)


def _machines(workload: str) -> dict[str, Run]:
    """All machines of the comparison; the variants of HyFlexPIM for the first workload only."""
    runs = {_BASE: _run("asadi_int8", workload), "SPRINT": _alone("sprint", workload)}
    runs |= {f"HyFlexPIM, {share:.0%} SLC": _run("hyflexpim", workload, *slc(share)) for share in RATES}
    if workload == "glue":
        runs["HyFlexPIM, whole copies"] = _run("hyflexpim", workload, _WHOLE)
        runs["HyFlexPIM, sums on the PU's bus"] = _alone("hyflexpim", workload, _BUS)
        runs["ASADI-INT8, sums on the PU's bus"] = _alone("asadi_int8", workload, _BUS)
    return runs


def _throughput(answers: Answers) -> Measured:
    table: Table = []
    values: dict[str, float] = {}
    for workload in _DATA:
        model, tokens = WORKLOADS[workload]
        found = {name: at_full_rate(answers.sure(run)) for name, run in _machines(workload).items()}
        base = rate(found[_BASE])
        for name, result in found.items():
            table.append(
                {
                    "workload": f"{model}, {tokens} tokens",
                    "machine": name,
                    "inferences_per_s": rate(result),
                    "ratio": rate(result) / base,
                    "per_s_and_mm2": rate(result) / result.area_mm2["total"],
                    "bound_by": next(iter(result.critical_path["throughput"]["busiest"])),
                }
            )
        values[f"throughput.{workload}"] = rate(found["HyFlexPIM, 5% SLC"]) / base
        values[f"throughput.{workload}_slc_10"] = rate(found["HyFlexPIM, 10% SLC"]) / base
        values[f"throughput.{workload}_sprint"] = rate(found["HyFlexPIM, 5% SLC"]) / rate(found["SPRINT"])
        values[f"throughput.{workload}_sprint_per_mm2"] = values[f"throughput.{workload}_sprint"] * (
            found["SPRINT"].area_mm2["total"] / found["HyFlexPIM, 5% SLC"].area_mm2["total"]
        )
    glue = {name: rate(at_full_rate(answers.sure(run))) for name, run in _machines("glue").items()}
    values["throughput.asadi_int8"] = max(values[f"throughput.{workload}"] for workload in _DATA)
    values["throughput.sprint"] = max(values[f"throughput.{workload}_sprint"] for workload in _DATA)
    values["throughput.whole"] = glue["HyFlexPIM, whole copies"] / glue[_BASE]
    on_bus = glue["ASADI-INT8, sums on the PU's bus"]
    values["throughput.on_the_bus"] = glue["HyFlexPIM, sums on the PU's bus"] / on_bus
    return Measured(values, table)


def _draw(answers: Answers) -> bytes:
    from archsim.report.plots.draw import picture_of_results
    from archsim.report.plots.labels import Named

    bars = [Named(name, at_full_rate(answers.sure(run))) for name, run in _machines("glue").items()]
    return picture_of_results("throughput.png", "throughput", bars, "inferences")


GROUPS = (
    Group(
        "throughput",
        "Throughput",
        lambda: tuple(run for workload in _DATA for run in _machines(workload).values()),
        _throughput,
        {"throughput.png": _draw},
    ),
)
"""The comparison of throughput."""
