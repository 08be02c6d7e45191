"""HyFlexPIM's energy comparisons: linear layers, fetches of weights, end to end, over the length."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archsim.report.reproduction import Table
from archsim.reproduce.measures import (
    at_full_rate,
    attention_products,
    energy_pj,
    family_pj,
    linear_macs,
    names_of_family,
)
from archsim.reproduce.published import published_value
from archsim.reproduce.runs import Answers, Run, model_trace
from archsim.reproduce.study import Group, Measured
from archsim.results.record import Result

PAPER = "hyflexpim"
BASELINES = ("asadi", "asadi_int8", "sprint", "nmp", "non_pim")

RATES = (0.0, 0.05, 0.1, 0.3, 0.5, 1.0)
"""Shares of SLC that the paper compares."""

WORKLOADS = {"glue": ("bert_large", 128), "wikitext2": ("gpt2", 1024), "ptb": ("llama3_2_1b", 100)}
"""Model and tokens by the data set of the paper."""

COMPARED = ("glue", "wikitext2")
"""Those of them for which the paper compares whole inferences with processors."""

LENGTHS = (128, 256, 512, 1024, 2048, 4096)
"""Tokens of the breakdown; 8192 would take 2 GB."""

REUSES = (1, 2, 4, 8, 16, 32, 64, 128)
"""Tokens for which processors fetch a weight once."""

_NODE_NM = 65.0
_GROUP = "pu.parts.processor.group_tokens"
_DRAM = ("chip.parts.dram.cost.energy_pj", 70)


def slc(rate: float) -> tuple[tuple[str, Any], ...]:
    """The settings of a share of SLC; all of it is stored without SVD, whose factors would not fit."""
    return (("mapping.slc_rate", rate), *((("mapping.svd", "none"),) if rate == 1 else ()))


def _once(preset: str, workload: str, *settings: tuple[str, Any], nm: float | None = None) -> Run:
    model, tokens = WORKLOADS[workload]
    return Run(preset, model, tokens, settings, fit=True, stream=False, technology_nm=nm)


def _machines(workload: str) -> dict[str, Run]:
    """All that the linear layers of a workload are compared on."""
    runs = {f"HyFlexPIM, {rate:.0%} SLC": _once("hyflexpim", workload, *slc(rate)) for rate in RATES}
    runs |= {preset: _once(preset, workload) for preset in BASELINES}
    return runs | {f"nmp, all at {_NODE_NM:g} nm": _once("nmp", workload, nm=_NODE_NM)}


def _name(workload: str) -> str:
    model, tokens = WORKLOADS[workload]
    return f"{model}, {tokens} tokens"


def _linear(answers: Answers) -> Measured:
    """Energy of the linear layers, on every machine and at every share of SLC."""
    table: Table = []
    values: dict[str, float] = {}
    for workload, (model, tokens) in WORKLOADS.items():
        trace = model_trace(model, tokens)
        runs = _machines(workload)
        found = {name: _linear_pj(answers, run) for name, run in runs.items()}
        best = min(pj for name, pj in found.items() if pj is not None and name.startswith("HyFlexPIM"))
        for name, pj in found.items():
            each = None if pj is None else pj / linear_macs(trace)
            table.append(
                {
                    "workload": _name(workload),
                    "machine": name,
                    "energy_mj": None if pj is None else pj * 1e-9,
                    "pj_per_mac": each,
                    "ratio": None if pj is None else pj / best,
                }
            )
            if pj is not None and each is not None:
                key = _key(name)
                values[f"linear_energy.{key}"] = max(values.get(f"linear_energy.{key}", 0), pj / best)
                values.setdefault(f"linear_energy.{key}_pj", each)
    for baseline in ("non_pim", "sprint"):
        needed = published_value(PAPER, f"linear_energy.{baseline}")
        values[f"linear_energy.{baseline}_needed_pj"] = needed * values["linear_energy.slc_0_pj"]
    return Measured(values, table)


def _key(name: str) -> str:
    """How values call a machine of the table."""
    if name.startswith("HyFlexPIM"):
        return "slc_" + name.removeprefix("HyFlexPIM, ").removesuffix("% SLC")
    return "nmp_65" if name.endswith("nm") else name


def _linear_pj(answers: Answers, run: Run) -> float | None:
    result = answers.result(run)
    return None if result is None else family_pj(result, model_trace(run.model, run.tokens), "linear")


def _draw_linear(answers: Answers) -> bytes:
    """BERT-Large's linear layers, stacked by operation."""
    from archsim.report.plots.labels import scaled
    from archsim.report.plots.stacks import stack, stacked_figure
    from archsim.report.plots.style import house_style, to_bytes

    runs = _machines("glue")
    linear = names_of_family(model_trace(*WORKLOADS["glue"]), "linear")
    tables = [
        {name: pj for name, pj in answers.sure(run).energy_pj["by_operation"].items() if name in linear}
        for run in runs.values()
    ]
    with house_style():
        stacks = stack(tables)
        scale = scaled(max(stacks.totals), "J", 1e-12)
        figure = stacked_figure(list(runs), stacks, scale, "linear layers, energy an inference")
        return to_bytes(figure, "png")


def _processors() -> dict[tuple[str, int], Run]:
    """The machines that fetch weights, by how many tokens share a fetch."""
    return {
        (preset, reuse): _once(preset, "glue", (_GROUP, reuse))
        for preset in ("non_pim", "sprint")
        for reuse in REUSES
    }


def _reuse(answers: Answers) -> Measured:
    """Energy of the linear layers over the tokens for which a weight is fetched once."""
    trace = model_trace(*WORKLOADS["glue"])
    macs = linear_macs(trace)
    best = family_pj(answers.sure(_once("hyflexpim", "glue", *slc(0.0))), trace, "linear") / macs
    each = {key: family_pj(answers.sure(run), trace, "linear") / macs for key, run in _processors().items()}
    table: Table = [
        {"machine": preset, "tokens_a_fetch": reuse, "pj_per_mac": pj, "ratio": pj / best}
        for (preset, reuse), pj in each.items()
    ]
    dear = family_pj(answers.sure(_once("non_pim", "glue", _DRAM)), trace, "linear") / macs
    table.append(
        {
            "machine": "non_pim, DDR3 of 70 pJ a bit",
            "tokens_a_fetch": 128,
            "pj_per_mac": dear,
            "ratio": dear / best,
        }
    )
    values: dict[str, float] = {"reuse.ddr3": dear / best}
    for preset in ("non_pim", "sprint"):
        needed = best * published_value(PAPER, f"linear_energy.{preset}")
        # a fetch is shared by all its tokens: energy = fixed + fetch / tokens
        fetch = (each[preset, 1] - each[preset, REUSES[-1]]) / (1 - 1 / REUSES[-1])
        fixed = each[preset, 1] - fetch
        values |= {
            f"reuse.{preset}": fetch / (needed - fixed),
            f"reuse.{preset}_fetch_pj": fetch,
            f"reuse.{preset}_fixed_pj": fixed,
        }
    return Measured(values, table)


def _end_to_end(answers: Answers) -> Measured:
    """Energy of an inference on every machine, for the data sets."""
    table: Table = []
    values: dict[str, float] = {}
    notes: dict[str, str] = {}
    for workload in WORKLOADS:
        own = _whole(answers, "hyflexpim", workload)
        assert own is not None, "the preset runs the paper's workloads"
        for preset in ("hyflexpim", *BASELINES):
            result = _whole(answers, preset, workload)
            key = f"end_to_end_energy.{workload}.{preset}"
            if result is None:
                notes[key] = answers.reason(_once(preset, workload))
            else:
                values[key] = energy_pj(result) / energy_pj(own)
            table.append(_end_to_end_row(workload, preset, result, own))
        values |= _shares(answers, workload, own)
    ratios = [values[f"end_to_end_energy.{workload}.asadi_int8"] for workload in WORKLOADS]
    values["end_to_end_energy.asadi_int8"] = max(ratios)
    return Measured(values, table, notes)


def _whole(answers: Answers, preset: str, workload: str) -> Result | None:
    """The result of a preset as it stands."""
    result = answers.result(_once(preset, workload))
    return None if result is None else at_full_rate(result)


def _end_to_end_row(workload: str, preset: str, result: Result | None, own: Result) -> dict[str, Any]:
    trace = model_trace(*WORKLOADS[workload])
    row: dict[str, Any] = {"workload": _name(workload), "machine": preset}
    if result is None:
        return row | dict.fromkeys(("energy_mj", "linear_mj", "attention_mj", "leakage_mj", "ratio", "chips"))
    return row | {
        "energy_mj": energy_pj(result) * 1e-9,
        "linear_mj": family_pj(result, trace, "linear") * 1e-9,
        "attention_mj": family_pj(result, trace, "attention") * 1e-9,
        "leakage_mj": result.energy_pj["static"] * 1e-9,
        "ratio": energy_pj(result) / energy_pj(own),
        "chips": result.mapping["chips_used"],
    }


def _shares(answers: Answers, workload: str, own: Result) -> Iterator[tuple[str, float]]:
    """What the texts say of attention: its energy over that of linear layers, and of a product."""
    trace = model_trace(*WORKLOADS[workload])
    head = f"end_to_end_energy.{workload}"
    linear, attention = (family_pj(own, trace, family) for family in ("linear", "attention"))
    yield f"{head}.attention_over_linear", attention / linear
    yield f"{head}.product_pj", attention / attention_products(trace)
    for preset in ("non_pim", "sprint"):
        result = _whole(answers, preset, workload)
        if result is None or workload not in COMPARED:
            continue
        its_linear = family_pj(result, trace, "linear")
        # what would come out if the linear layers alone had the paper's ratio
        target = linear * published_value(PAPER, f"linear_energy.{preset}")
        whole = energy_pj(result) - its_linear + target
        yield f"{head}.{preset}_if", whole / energy_pj(own)
        # and what a product may then cost for the paper's ratio of the whole
        left = whole / published_value(PAPER, f"{head}.{preset}") - (energy_pj(own) - attention)
        yield f"{head}.{preset}_allowed_pj", left / attention_products(trace)
        yield f"{head}.{preset}_product_pj", family_pj(result, trace, "attention") / attention_products(trace)
    others = [_whole(answers, preset, workload) for preset in ("non_pim", "sprint")]
    if others[0] and others[1]:
        yield f"{head}.non_pim_over_sprint", energy_pj(others[0]) / energy_pj(others[1])


def _draw_end_to_end(workload: str) -> Any:
    def draw(answers: Answers) -> bytes:
        from archsim.report.plots.draw import picture_of_results
        from archsim.report.plots.labels import Named

        found = {preset: _whole(answers, preset, workload) for preset in ("hyflexpim", *BASELINES)}
        bars = [Named(name, result) for name, result in found.items() if result is not None]
        return picture_of_results("energy.png", "energy", bars, "part")

    return draw


def _at_length(tokens: int) -> Run:
    return Run("hyflexpim", "bert_large", tokens, fit=True, stream=False)


def _sequence_length(answers: Answers) -> Measured:
    """Energy by component of BERT-Large at several lengths."""
    components: dict[int, Mapping[str, float]] = {}
    values: dict[str, float] = {}
    for tokens in LENGTHS:
        result = at_full_rate(answers.sure(_at_length(tokens)))
        trace = model_trace("bert_large", tokens)
        linear, attention = (family_pj(result, trace, family) for family in ("linear", "attention"))
        values[f"sequence_length.attention_{tokens}"] = attention / linear
        components[tokens] = result.energy_pj["by_component"]
    names = sorted(components[LENGTHS[0]], key=lambda name: -components[LENGTHS[-1]].get(name, 0.0))
    table: Table = [
        {"component": name}
        | {f"mJ at {tokens} tokens": found.get(name, 0.0) * 1e-9 for tokens, found in components.items()}
        for name in names
    ]
    return Measured(values, table)


def _draw_sequence_length(answers: Answers) -> bytes:
    from archsim.report.plots.draw import picture_of_results
    from archsim.report.plots.labels import Named

    bars = [Named(str(tokens), at_full_rate(answers.sure(_at_length(tokens)))) for tokens in LENGTHS]
    return picture_of_results("sequence_length.png", "sequence_length", bars, "component")


GROUPS = (
    Group(
        "linear_energy",
        "Energy of the linear layers",
        lambda: tuple(run for workload in WORKLOADS for run in _machines(workload).values()),
        _linear,
        {"linear_energy.png": _draw_linear},
    ),
    Group(
        "reuse",
        "What a fetch of weights must serve",
        lambda: (
            _once("hyflexpim", "glue", *slc(0.0)),
            *_processors().values(),
            _once("non_pim", "glue", _DRAM),
        ),
        _reuse,
    ),
    Group(
        "end_to_end_energy",
        "Energy of an inference",
        lambda: tuple(
            _once(preset, workload) for workload in WORKLOADS for preset in ("hyflexpim", *BASELINES)
        ),
        _end_to_end,
        {f"end_to_end_energy_{workload}.png": _draw_end_to_end(workload) for workload in WORKLOADS},
    ),
    Group(
        "sequence_length",
        "Energy over the sequence length",
        lambda: tuple(_at_length(tokens) for tokens in LENGTHS),
        _sequence_length,
        {"sequence_length.png": _draw_sequence_length},
    ),
)
"""The comparisons of energy."""
