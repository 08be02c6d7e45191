"""Sweeps in processes of their own: interrupted, killed, resumed, with nothing lost and nothing doubled."""

from __future__ import annotations

import csv
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import archsim
from archsim.errors import ArchsimError, SimulationError, SpaceError
from archsim.explore import executor
from archsim.explore.executor import Progress
from archsim.explore.store import Outcome, open_for_sweep, open_store
from archsim.explore.subject import read_subject
from archsim.explore.sweep import Sweep
from archsim.explore.worker import serve

SPACE = {"mapping.slc_rate": "0:1:0.25", "pu.parts.analog.adc.cost.active_power_mw": [100, 200]}


def run(preset: str, tiny: Path, store: Path | None = None, **options: Any) -> Sweep:
    space = {**options.pop("space", SPACE), "chip.pus": 1}
    return archsim.sweep(preset, tiny, space, store=store, stream=False, **options)


def test_every_point_is_what_simulate_gives(preset: str, tiny: Path, tmp_path: Path) -> None:
    """In the order of the space, whatever the order of the run; a second sweep simulates nothing."""
    done = run(preset, tiny, tmp_path / "sweep.db", jobs=2)
    assert (done.progress.simulated, done.progress.found) == (10, 0)
    assert [tuple(row[name] for name in (*SPACE, "status")) for row in done.rows] == [
        (rate, power, "ok") for rate in (0.0, 0.25, 0.5, 0.75, 1.0) for power in (100, 200)
    ]
    for place in (0, 3, 9):
        settings = {path: done.rows[place][path] for path in done.paths}
        alone = archsim.simulate(
            archsim.load_hardware(preset, settings), archsim.load_trace(tiny), stream=False
        )
        assert done.result(place).to_json() == alone.to_json()
        assert done.rows[place]["energy_pj"] == alone.energy_pj["per_inference"]
    again = run(preset, tiny, tmp_path / "sweep.db")
    assert (again.progress.simulated, again.progress.found) == (0, 10)
    assert again.rows == done.rows


def test_a_larger_sweep_takes_over_what_there_is(preset: str, tiny: Path, tmp_path: Path) -> None:
    """Also where the same design was asked for in other words."""
    store = tmp_path / "sweep.db"
    run(preset, tiny, store, space={"mapping.slc_rate": [0.05, 0.1]})
    more = run(preset, tiny, store, space={"mapping.slc_rate": [0.05, 0.1, 0.2], "system.chips": [1]})
    assert (more.progress.simulated, more.progress.found) == (1, 2)
    with open_store(store) as opened:
        assert len(opened) == 3
        columns = opened.table(["mapping.slc_rate", "system.chips"])
        assert sorted(columns["mapping.slc_rate"]) == [0.05, 0.1, 0.2]
        assert columns["system.chips"] == [1, 1, 1]


def test_infeasible_points_are_rows_with_their_reason(preset: str, tiny: Path) -> None:
    done = run(preset, tiny, space={"pu.parts.analog.arrays": [1, 512], "pu.parts.analog.count": [1]})
    assert [row["status"] for row in done.rows] == ["infeasible", "ok"]
    assert "needs 34 arrays" in done.rows[0]["reason"]
    assert done.pareto("energy,latency") == [1]
    with pytest.raises(
        SpaceError, match=r"pu\.parts\.analog\.arrays=1, .* is infeasible and has no result: .* 34 "
    ):
        done.result(0)


def test_a_sample_is_in_its_order(preset: str, tiny: Path) -> None:
    done = run(preset, tiny, sampling="random", points=3, seed=1)
    grid = [tuple(row.values())[:2] for row in run(preset, tiny, sampling="grid").rows]
    assert len(done) == 3
    assert [tuple(row.values())[:2] for row in done.rows] == [grid[place] for place in done._chosen]


def test_tables(preset: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run(preset, tiny, space={"mapping.slc_rate": [0, 1], "mapping.svd": ["none"]}, jobs=1)
    done.to_csv(tmp_path / "points.csv")
    with (tmp_path / "points.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["mapping.slc_rate"], row["mapping.svd"], row["status"]) for row in rows] == [
        ("0", "none", "ok"),
        ("1", "none", "ok"),
    ]
    assert [float(row["energy_pj"]) for row in rows] == [row["energy_pj"] for row in done.rows]
    assert rows[0]["per_token_ns"] == ""
    assert json.loads(done.to_json()) == done.rows
    real = importlib.import_module

    def without_pandas(name: str) -> Any:
        if name == "pandas":
            raise ImportError
        return real(name)

    monkeypatch.setattr(importlib, "import_module", without_pandas)
    with pytest.raises(
        ArchsimError, match=r"^pandas is not installed: pip install 'archsim\[pandas\]', or take"
    ):
        done.to_dataframe()


def test_a_data_frame(preset: str, tiny: Path) -> None:
    pytest.importorskip("pandas")
    done = run(preset, tiny, space={"mapping.slc_rate": [0, 1]}, jobs=1)
    frame = done.to_dataframe()
    assert frame["mapping.slc_rate"].tolist() == [0, 1]
    assert frame["energy_pj"].tolist() == [row["energy_pj"] for row in done.rows]


def test_a_store_that_nobody_named_goes_with_the_sweep(preset: str, tiny: Path) -> None:
    done = run(preset, tiny, space={"mapping.slc_rate": [0]}, jobs=1)
    place = Path(done.store_file)
    assert place.exists()
    del done
    assert not place.parent.exists()


def test_many_points_need_a_word(preset: str, tiny: Path, tmp_path: Path) -> None:
    space = {"mapping.slc_rate": "0:1:0.001", "pu.parts.analog.count": "1:999:1"}
    with pytest.raises(SpaceError) as error:
        run(preset, tiny, tmp_path / "sweep.db", space=space)
    assert str(error.value) == (
        "999,999 points (1001 x 999) are more than 10,000: take fewer values, or --sample latin --points N, "
        "or say --yes if all are meant"
    )
    assert not (tmp_path / "sweep.db").exists()


def test_the_machine_of_a_sweep_does_not_change_under_it(preset: str, tiny: Path, tmp_path: Path) -> None:
    machine = tmp_path / "machine.yaml"
    machine.write_text(Path(preset).read_text())
    before = run(str(machine), tiny, space={"mapping.slc_rate": [0]}, jobs=1).rows

    def spoil(progress: Progress, outcome: Outcome | None) -> None:
        machine.write_text("system: nothing")

    after = run(str(machine), tiny, space={"mapping.slc_rate": [0, 1]}, jobs=1, tell=spoil).rows
    assert after[0] == before[0]


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many points workers have, whenever they are given one."""
    counts: list[int] = []

    class Noted(executor._Worker):
        def give(self, point: executor.Point) -> None:
            super().give(point)
            counts.append(len(self.points))

    monkeypatch.setattr(executor, "_Worker", Noted)
    return counts


def test_workers_have_their_next_point_before_they_are_done(
    preset: str, tiny: Path, given: list[int]
) -> None:
    """One at first; then two, as a point takes less than a second."""
    run(preset, tiny, jobs=1)
    assert given == [1, 1, *[2] * 8]


def test_a_worker_simulates_a_design_once_though_the_first_time_is_not_recorded_yet(
    preset: str, tiny: Path, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.db"
    ours, theirs = Pipe()

    def work() -> None:
        with suppress(EOFError):
            serve(theirs, str(file))

    with open_for_sweep(file):
        worker = Thread(target=work)
        worker.start()
        ours.send(read_subject(preset, str(tiny), stream=False))
        for point, rate in enumerate((0.5, 0.5, 0.25)):
            ours.send((point, {"mapping.slc_rate": rate, "chip.pus": 1}))
        none, first, second, third = (ours.recv() for _ in range(4))
        ours.close()
        worker.join()
    assert none is None
    assert (first.outcome.status, second.outcome, third.outcome.status) == ("ok", None, "ok")
    assert second.key == first.key != third.key


def test_workers_that_take_long_have_one_point_at_a_time(
    preset: str, tiny: Path, given: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_AHEAD_S", 0.0)
    run(preset, tiny, jobs=1)
    assert given == [1] * 10


# Deaths: a worker is killed, always at one point, or before it can start.


def test_a_worker_that_dies_is_replaced(
    preset: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed for real, once, while it has a point in hand."""
    killed: list[int] = []

    class Mortal(executor._Worker):
        def give(self, point: executor.Point) -> None:
            super().give(point)
            if self.ready and not killed:
                assert self._process is not None
                killed.append(self._process.pid)
                self._process.send_signal(signal.SIGKILL)

    monkeypatch.setattr(executor, "_Worker", Mortal)
    done = run(preset, tiny, tmp_path / "sweep.db", jobs=1)
    assert len(killed) == 1
    assert Counter(row["status"] for row in done.rows) == {"ok": 10}
    with open_store(done.store_file) as store:
        assert len(store) == 10


def worker_that(what: str) -> str:
    """The main program of a worker in which something happens at the points with an SLC rate of 0.5."""
    return (
        "import os, archsim.explore.worker as w; real = w._answer\n"
        f"def answer(e, p, s, k):\n  if s.get('mapping.slc_rate') == 0.5: {what}\n  return real(e, p, s, k)\n"
        "w._answer = answer; w.main()"
    )


def test_a_point_that_kills_its_worker_twice_has_failed(
    preset: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are not lost; the next sweep tries it again."""
    monkeypatch.setattr(executor, "_MAIN", worker_that("os.kill(os.getpid(), 9)"))
    space = {"mapping.slc_rate": [0.25, 0.5, 0.75]}
    done = run(preset, tiny, tmp_path / "sweep.db", space=space, jobs=2)
    assert [row["status"] for row in done.rows] == ["ok", "failed", "ok"]
    assert done.rows[1]["reason"] == (
        "its process died 2 times, with SIGKILL; SIGKILL often means too little memory"
    )
    monkeypatch.undo()
    again = run(preset, tiny, tmp_path / "sweep.db", space=space, jobs=1)
    assert (again.progress.simulated, again.progress.found) == (1, 2)
    assert [row["status"] for row in again.rows] == ["ok"] * 3
    with open_store(again.store_file) as store:
        assert len(store) == 3


def test_a_bug_at_one_point_does_not_end_the_sweep(
    preset: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bug = worker_that("e.evaluate = lambda *_: 1 // 0")
    monkeypatch.setattr(executor, "_MAIN", bug)
    done = run(preset, tiny, space={"mapping.slc_rate": [0.25, 0.5]}, jobs=1)
    assert [row["status"] for row in done.rows] == ["ok", "failed"]
    assert done.rows[1]["reason"] == "internal error: ZeroDivisionError: integer division or modulo by zero"


def test_workers_that_cannot_start_are_an_error(
    preset: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executor, "_MAIN", "raise SystemExit(3)")
    with pytest.raises(
        SimulationError, match=r"^a worker process ended with status 3 before it could start$"
    ):
        run(preset, tiny)


# Interruptions: the whole command is a process of its own, which is killed when some points are in the store.

COMMAND = (
    "import sys, archsim\n"
    "space = {'mapping.slc_rate': '0:1:0.04', 'trace.tokens': '1:4:1', 'chip.pus': 1}\n"
    "try:\n"
    "    done = archsim.sweep(sys.argv[1], sys.argv[2], space, store=sys.argv[3], stream=False, jobs=2)\n"
    "except KeyboardInterrupt:\n"
    "    raise SystemExit(130)\n"
    "print(done.progress.simulated, done.progress.found)\n"
)
POINTS = 104


def start(preset: str, tiny: Path, store: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", COMMAND, preset, str(tiny), str(store)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)


def points_in(store: Path) -> int:
    try:
        with open_store(store) as opened:
            return len(opened)
    except ArchsimError:  # it is not there yet
        return 0


def wait_for_points(process: subprocess.Popen[str], store: Path, count: int) -> None:
    while points_in(store) < count:
        assert process.poll() is None, "the sweep ended before it could be interrupted"
        time.sleep(0.01)


def finish(preset: str, tiny: Path, store: Path) -> tuple[int, int]:
    """Run the sweep to its end: the points that were simulated, and those that were there."""
    out, _ = start(preset, tiny, store).communicate(timeout=120)
    simulated, found = map(int, out.split())
    return simulated, found


def children_of(process: int) -> list[int]:
    found = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in found.read_text().split()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_an_interrupted_sweep_goes_on_where_it_was(
    how: signal.Signals, preset: str, tiny: Path, tmp_path: Path
) -> None:
    store = tmp_path / "sweep.db"
    process = start(preset, tiny, store)
    wait_for_points(process, store, 8)
    workers = children_of(process.pid)
    if how is signal.SIGINT:
        os.killpg(process.pid, how)  # as the terminal does: to the workers too
    else:
        process.send_signal(how)
    assert process.wait(timeout=60) == (130 if how is signal.SIGINT else -how)
    assert len(workers) == 2
    for worker in workers:
        wait_until_gone(worker)
    kept = points_in(store)
    assert 8 <= kept < POINTS
    assert finish(preset, tiny, store) == (POINTS - kept, kept)
    assert points_in(store) == POINTS
    assert finish(preset, tiny, store) == (0, POINTS)


def wait_until_gone(process: int) -> None:
    """Workers end by themselves when nobody listens any more."""
    deadline = time.monotonic() + 60
    while Path(f"/proc/{process}").exists():
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        if state == "Z":  # whoever adopted it has not looked yet
            return
        assert time.monotonic() < deadline, "a worker outlived its sweep"
        time.sleep(0.02)


def test_killed_workers_of_a_whole_sweep(preset: str, tiny: Path, tmp_path: Path) -> None:
    """Each worker is killed from outside, at any instant, and nothing is lost."""
    store = tmp_path / "sweep.db"
    process = start(preset, tiny, store)
    wait_for_points(process, store, 8)
    for worker in children_of(process.pid):
        os.kill(worker, signal.SIGKILL)
    out, _ = process.communicate(timeout=120)
    assert out.split() == [str(POINTS), "0"]
    assert points_in(store) == POINTS
