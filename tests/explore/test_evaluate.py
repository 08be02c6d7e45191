"""One point after the other: the same results as ``simulate``, whatever is shared; wrong spaces."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

import archsim
from archsim.errors import SpaceError
from archsim.explore import evaluate
from archsim.explore.evaluate import Evaluator
from archsim.explore.space import combined, read_space
from archsim.explore.store import Outcome
from archsim.explore.subject import Subject, check_space, read_subject
from archsim.results.read import parse_result
from archsim.workload.operations import Trace


def nothing_known(key: bytes) -> bool:
    """A store that has no point."""
    return False


def content(outcome: Outcome | bytes) -> str:
    assert isinstance(outcome, Outcome)
    assert outcome.status == "ok", outcome.reason
    return parse_result(zlib.decompress(outcome.content).decode()).to_json()


@pytest.mark.parametrize("stream", [True, False])
def test_points_are_what_simulate_gives(preset: str, small: Trace, stream: bool) -> None:
    """Also where the graph is that of an earlier point, where the run is, and where neither is."""
    evaluator = Evaluator(read_subject(preset, small, stream=stream))
    copies = {"mapping.replication": "none"}
    for settings in (
        copies,
        copies | {"pu.parts.analog.adc.cost.active_power_mw": 100},
        copies | {"mapping.slc_rate": 1},
        copies | {"mapping.slc_rate": 1, "pu.parts.analog.array.read_ns": 200},
        copies | {"mapping.in_flight": 1},
        copies | {"pu.parts.analog.activity.ones": 0.3},
        copies | {"pu.parts.analog.activity.ones": 0.4},
        copies,
    ):
        machine = archsim.load_hardware(preset, settings)
        alone = archsim.simulate(machine, small, stream=stream).to_json()
        assert content(evaluator.evaluate(settings, nothing_known)) == alone


def test_workloads_are_what_simulate_gives(preset: str, subject: Subject) -> None:
    evaluator = Evaluator(subject)
    for tokens, batch in ((4, 1), (6, 1), (4, 2), (4, 1)):
        trace = archsim.generate_trace("minilm", tokens=tokens, batch=batch, head=False)
        alone = archsim.simulate(archsim.load_hardware(preset), trace, stream=False).to_json()
        outcome = evaluator.evaluate({"trace.tokens": tokens, "trace.batch": batch}, nothing_known)
        assert content(outcome) == alone


def test_what_points_share_is_done_once(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("prepare", "settle"):
        real = getattr(evaluate, name)

        def counted(*args: Any, _name: str = name, _real: Any = real, **options: Any) -> Any:
            done.append(_name)
            return _real(*args, **options)

        monkeypatch.setattr(evaluate, name, counted)
    evaluator = Evaluator(subject)
    base = {"mapping.replication": "none"}
    evaluator.evaluate(base, nothing_known)
    assert done == ["prepare", "settle"]
    evaluator.evaluate(base | {"pu.parts.sfu.cost.area_mm2": 1}, nothing_known)
    assert done == ["prepare", "settle"]
    evaluator.evaluate(base | {"mapping.slc_rate": 1}, nothing_known)
    assert done == ["prepare", "settle", "prepare"]


def test_what_is_known_is_not_simulated(subject: Subject) -> None:
    """A key is of the content: other words for the same machine have the same."""
    evaluator = Evaluator(subject)
    outcome = evaluator.evaluate({"mapping.slc_rate": 0.05}, nothing_known)
    assert isinstance(outcome, Outcome)
    assert evaluator.evaluate({}, lambda key: key == outcome.key) == outcome.key
    other = evaluator.evaluate({"mapping.slc_rate": 0.06}, lambda key: key == outcome.key)
    assert isinstance(other, Outcome) and other.key != outcome.key


def test_keys_tell_options_and_workloads_apart(preset: str, small: Trace) -> None:
    keys = {
        outcome.key
        for stream in (True, False)
        for tokens in (2, 3)
        if isinstance(
            outcome := Evaluator(read_subject(preset, small, stream=stream)).evaluate(
                {"trace.tokens": tokens, "mapping.in_flight": 1}, nothing_known
            ),
            Outcome,
        )
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"pu.parts.analog.count": 1, "pu.parts.analog.arrays": 1},
            "needs 45 arrays of 'analog', a PU has 1: 44 short",
        ),
        (
            {"pu.parts.analog.arrays": 9, "pu.parts.analog.adc.arrays_per_adc": 2},
            "arrays (9) must be a multiple of adc.arrays_per_adc (2)",
        ),
    ],
)
def test_a_point_that_cannot_be_is_a_row_with_its_reason(
    settings: dict[str, Any], reason: str, subject: Subject
) -> None:
    outcome = Evaluator(subject).evaluate(settings, nothing_known)
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.content) == ("infeasible", b"")
    assert reason in outcome.reason
    assert set(outcome.metrics.values()) == {None}


def test_the_metrics_are_those_of_the_result(subject: Subject) -> None:
    outcome = Evaluator(subject).evaluate({}, nothing_known)
    result = json.loads(content(outcome))
    assert isinstance(outcome, Outcome)
    assert outcome.metrics["latency_ns"] == result["latency_ns"]["total"]
    assert outcome.metrics["energy_pj"] == result["energy_pj"]["per_inference"]
    assert outcome.metrics["per_token_ns"] is None


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (
            ["chip.pu=1,2"],
            "--set chip.pu=1,2: unknown key 'pu' of chip (did you mean 'pus'?); allowed: pus, ",
        ),
        (["chip.pus=1,x"], "--set chip.pus=1,x: must be a whole number, not the text 'x'"),
        (
            ["mapping.slc_rate=0.5,1.5,-1"],
            "--set mapping.slc_rate=0.5,1.5,-1: must be at most 1, not 1.5\n"
            "--set mapping.slc_rate=0.5,1.5,-1: must be at least 0, not -1",
        ),
        (["trace.tokens=0,4"], "--set trace.tokens=0,4: must be a whole number from 1 to 10000000, not 0"),
        (
            ["chip.pus=-7:0:1"],
            "\n".join(f"--set chip.pus=-7:0:1: must be at least 1, not {value}" for value in range(-7, -2))
            + "\n--set chip.pus=-7:0:1: 3 more values are wrong",
        ),
    ],
)
def test_a_wrong_space_stops_a_sweep_before_it_starts(
    axes: list[str], message: str, subject: Subject
) -> None:
    with pytest.raises(SpaceError) as error:
        check_space(subject, combined(read_space(axes)))
    assert str(error.value).startswith(message)


def test_what_is_wrong_only_together_is_no_wrong_space(subject: Subject) -> None:
    check_space(
        subject, combined(read_space(["pu.parts.analog.arrays=9", "pu.parts.analog.adc.arrays_per_adc=2"]))
    )
