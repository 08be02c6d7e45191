"""HyFlexPIM's throughput over PUs and chips, and the PUs that a layer of Llama takes."""

from __future__ import annotations

from typing import Any

from archsim.report.reproduction import Table
from archsim.reproduce.energy import slc
from archsim.reproduce.measures import at_full_rate, rate
from archsim.reproduce.runs import Answers, Run
from archsim.reproduce.study import Group, Measured

SIZES = ((24, 1), (48, 1), (72, 1), (24, 2), (24, 3))
"""PUs of a chip, and chips."""

SPLITS = ("rows", "columns")
"""How PUs that share a layer deal what follows a split operation: sums, or inputs, cross between them."""

_MODEL = ("bert_large", 128)
_LLAMA = ("llama3_2_1b", 100)


def _machine(pus: int, chips: int, split: str) -> Run:
    settings = (("chip.pus", pus), ("system.chips", chips), ("mapping.tensor_split", split))
    return Run("hyflexpim", *_MODEL, settings, stream=False)


def _machines() -> dict[tuple[int, int, str], Run]:
    return {(pus, chips, split): _machine(pus, chips, split) for split in SPLITS for pus, chips in SIZES}


def _llama(*settings: tuple[str, Any]) -> Run:
    """Llama-3.2-1B on as many chips as it takes."""
    return Run("hyflexpim", *_LLAMA, settings, fit=True, stream=False)


_TWO_PUS = _llama(("mapping.tensor_parallel", 2), *slc(0.0))


def _scaling(answers: Answers) -> Measured:
    """The throughput that the busiest part allows, over PUs and chips; the PUs of a layer of Llama."""
    base = rate(at_full_rate(answers.sure(_machine(24, 1, "rows"))))
    table: Table = []
    values: dict[str, float] = {}
    for (pus, chips, split), run in _machines().items():
        result = at_full_rate(answers.sure(run))
        table.append(
            {
                "pus": pus,
                "chips": chips,
                "split": split,
                "pus_a_layer": result.mapping["pus_per_layer"],
                "inferences_per_s": rate(result),
                "ratio": rate(result) / base,
                "latency_us": result.latency_ns["total"] / 1000,
                "bound_by": next(iter(result.critical_path["throughput"]["busiest"])),
            }
        )
        values[f"scaling.pus_{pus}_chips_{chips}_{split}"] = rate(result) / base
    llama = answers.sure(_llama())
    values["scaling.llama_pus"] = llama.mapping["pus_per_layer"]
    values["scaling.llama_chips"] = llama.mapping["chips_used"]
    notes = {}
    if reason := answers.reason(_TWO_PUS):
        notes["scaling.llama_pus"] = f"With two a layer and all of it MLC: {reason}."
    return Measured(values, table, notes)


def _draw(answers: Answers) -> bytes:
    from archsim.report.plots.draw import picture_of_results
    from archsim.report.plots.labels import Named

    bars = [
        Named(f"{pus} PUs, {chips} chip{'s'[: chips > 1]}, {split}", at_full_rate(answers.sure(run)))
        for (pus, chips, split), run in _machines().items()
    ]
    return picture_of_results("scaling.png", "throughput", bars, "inferences")


GROUPS = (
    Group(
        "scaling",
        "Scaling over PUs and chips",
        lambda: (*_machines().values(), _llama(), _TWO_PUS),
        _scaling,
        {"scaling.png": _draw},
    ),
)
"""The comparisons of size."""
