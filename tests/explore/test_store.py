"""The store: what is recorded is there, once; what is no store is refused and left alone."""

from __future__ import annotations

import os
import sqlite3
import zlib
from pathlib import Path

import pytest

from archsim.errors import ArchsimError, OutputError, ResultError
from archsim.explore.store import Outcome, Status, open_for_sweep, open_store
from archsim.explore.version import RESULT_VERSION
from archsim.results.metrics import METRICS


def outcome(key: bytes, status: Status = "ok", energy: float | None = 1.5, reason: str = "") -> Outcome:
    metrics = dict.fromkeys(METRICS, None) | {"energy_pj": energy}
    content = zlib.compress(b'{"energy": 1.5}') if status == "ok" else b""
    return Outcome(key, "machine", "model", status, reason, metrics, content)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "sweep.db"


def test_what_is_recorded_is_there(file: Path) -> None:
    with open_for_sweep(file) as store:
        store.add_paths(["chip.pus", "mapping.svd", "a.flag"])
        store.record(b"r1", {"chip.pus": 12, "mapping.svd": "none", "a.flag": True}, outcome(b"k1"))
        store.record(b"r2", {"chip.pus": 1}, outcome(b"k2", "infeasible", None, "too small"))
    with open_store(file) as store:
        assert len(store) == 2
        assert store.paths == ("chip.pus", "mapping.svd", "a.flag")
        assert store.find(b"r1") == (1, "ok")
        assert store.find(b"r2") == (2, "infeasible")
        assert store.find(b"r3") is None
        assert store.has(b"k1") and store.has(b"k2") and not store.has(b"r1")
        assert store.result_json(1) == '{"energy": 1.5}'
        assert store.result_json(2) is None
        assert store.row(2)["reason"] == "too small"
        assert store.table(["chip.pus", "mapping.svd", "a.flag", "energy_pj"]) == {
            "chip.pus": [12],
            "mapping.svd": ["none"],
            "a.flag": ["true"],
            "energy_pj": [1.5],
        }
        assert store.table(["chip.pus", "status"], status=None) == {
            "chip.pus": [12, 1],
            "status": ["ok", "infeasible"],
        }
        assert list(store.table())[:3] == list(store.paths)
    assert sorted(os.listdir(file.parent)) == ["sweep.db"], "the log is folded in when the store is closed"


def test_a_point_is_there_once(file: Path) -> None:
    """The same content, asked for in two ways: the second one adds what it knows."""
    with open_for_sweep(file) as store:
        store.add_paths(["a.x", "a.y"])
        store.record(b"r1", {"a.x": 1}, outcome(b"k"))
        store.record(b"r1", {"a.x": 1}, outcome(b"k"))
        store.refer(b"r2", {"a.y": 2}, b"k")
        assert len(store) == 1
        assert store.find(b"r2") == store.find(b"r1") == (1, "ok")
        assert store.table(["a.x", "a.y"]) == {"a.x": [1], "a.y": [2]}


def test_a_failed_point_is_replaced(file: Path) -> None:
    with open_for_sweep(file) as store:
        store.record(b"r", {}, outcome(b"r", "failed", None, "died"))
        assert store.find(b"r") == (1, "failed")
        assert not store.has(b"r")
        store.record(b"r", {}, outcome(b"k"))
        assert store.table(["status"], status=None) == {"status": ["ok"]}
        found = store.find(b"r")
        assert found is not None and store.result_json(found[0]) == '{"energy": 1.5}'


def test_a_reader_sees_points_while_they_come(file: Path) -> None:
    with open_for_sweep(file) as writer, open_store(file) as reader:
        assert len(reader) == 0
        writer.record(b"r", {}, outcome(b"k"))
        assert reader.has(b"k")


def test_one_sweep_writes_at_a_time(file: Path) -> None:
    with open_for_sweep(file), pytest.raises(OutputError) as error:
        open_for_sweep(file)
    what = "another sweep is writing to this store; wait until it ends, or name another one with --store"
    assert str(error.value) == f"{file}: {what}"
    open_for_sweep(file).close()


def test_there_is_no_such_column(file: Path) -> None:
    with (
        open_for_sweep(file) as store,
        pytest.raises(ResultError, match=r"there is no column 'chip\.pu'; col"),
    ):
        store.table(["chip.pu"])


def test_nothing_is_there(file: Path) -> None:
    with pytest.raises(ResultError) as error:
        open_store(file)
    assert str(error.value) == f"{file}: there is no such store; archsim sweep makes one"
    assert not file.exists()


def test_an_empty_file_is_a_store_whose_maker_died(file: Path) -> None:
    file.touch()
    with open_for_sweep(file) as store:
        assert len(store) == 0


def change(file: Path, statement: str) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute(statement)
    connection.close()


def full(file: Path) -> None:
    with open_for_sweep(file) as store:
        for number in range(200):
            store.record(b"r%d" % number, {}, outcome(b"k%d" % number))


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def scribble(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[4096 : len(content)] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.write_text("a,b\n1,2\n" * 200), "is damaged, or no store of archsim sweep ("),
        (
            lambda file: change(file, "PRAGMA user_version = 7"),
            "is a store of version 7, and this archsim reads",
        ),
        (
            lambda file: change(file, "PRAGMA application_id = 1"),
            "is not a store of archsim sweep; name another",
        ),
        (
            lambda file: change(file, "UPDATE about SET value = 'archsim-result 0'"),
            f"holds results of version 'archsim-result 0', and this archsim makes {RESULT_VERSION!r}: they ",
        ),
        (
            cut,
            "is damaged, or no store of archsim sweep (database disk image is malformed); name another file",
        ),
        (
            scribble,
            "is damaged, or no store of archsim sweep (database disk image is malformed); name another",
        ),
    ],
    ids=["text", "format", "application", "results", "cut", "scribbled"],
)
def test_what_is_no_store_is_refused_and_left_as_it_is(spoil: object, message: str, file: Path) -> None:
    full(file)
    spoil(file)  # type: ignore[operator]
    before = file.read_bytes()
    for opening in (open_store, open_for_sweep):
        with pytest.raises(ArchsimError) as error:
            opening(file)
        assert str(error.value).startswith(f"{file}: {message}")
        assert "\n" not in str(error.value)
    assert file.read_bytes() == before


def test_a_result_that_is_damaged(file: Path) -> None:
    full(file)
    change(file, "UPDATE results SET content = x'00' WHERE number = 3")
    with open_store(file) as store:
        assert store.result_json(2) is not None
        with pytest.raises(ResultError, match=r"sweep\.db: the result of point 3 is damaged$"):
            store.result_json(3)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as error:
        open_for_sweep(tmp_path / "none" / "sweep.db")
    assert str(error.value) == f"{tmp_path}/none/sweep.db: cannot be written: no such file or directory"
    with pytest.raises(OutputError, match="cannot be written: is a directory"):
        open_for_sweep(tmp_path)
