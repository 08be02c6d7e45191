"""Compiled functions are kept as machine code, and called without numba."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from archsim import native
from archsim.native import Apart, Native

KERNELS = """\
import numba
import numpy as np

@numba.njit(_nrt=False)
def weighted(row, number):
    total = 0
    for place in range(row.values.shape[0]):
        row.sums[place] = number * row.values[place, 0] - row.values[place, 1]
        total += row.sums[place]
    return total

@numba.njit
def allocating(values):
    return int(np.ones(len(values)).sum())

@numba.njit(_nrt=False)
def dividing(number):
    return 7 // number
"""

CALLER = """\
import sys
import numpy as np
from archsim.native import Native
print(Native("kernels", "dividing")(2), "numba" in sys.modules)
"""

Row = namedtuple("Row", ["values", "sums"])


@pytest.fixture
def kernels(tmp_path, monkeypatch):
    """A module of functions to be compiled, in a folder of its own; the user's cache is another."""
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "kernels.py").write_text(KERNELS)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    native._source.cache_clear()
    yield folder
    sys.modules.pop("kernels", None)
    native._source.cache_clear()


@pytest.fixture
def compilations(monkeypatch):
    """The names of the functions that are compiled."""
    names, compiled = [], native._compiled

    def noted(function, arguments):
        names.append(function.py_func.__name__)
        return compiled(function, arguments)

    monkeypatch.setattr(native, "_compiled", noted)
    return names


def kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.o"))


def called_elsewhere(folder: Path) -> list[str]:
    """What a process of its own prints that divides 7 by 2, and whether numba was loaded for that."""
    path = os.pathsep.join([str(folder), str(Path(native.__file__).parents[1])])
    environment = {**os.environ, "PYTHONPATH": path}
    run = subprocess.run(
        [sys.executable, "-c", CALLER], env=environment, capture_output=True, text=True, check=True
    )
    return run.stdout.split()


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_arrays_in_named_tuples_are_read_and_written(kernels, dtype):
    row = Row(np.arange(6, dtype=dtype).reshape(3, 2), np.zeros(3))
    # 10 * (0, 2, 4) - (1, 3, 5)
    assert Native("kernels", "weighted")(row, 10) == 51
    assert row.sums.tolist() == [-1, 17, 35]


def test_each_types_of_arguments_have_their_own_code(kernels):
    function = Native("kernels", "weighted")
    for dtype in (np.int32, np.int64, np.int32):
        assert function(Row(np.ones((2, 2), dtype=dtype), np.zeros(2)), 4) == 6
    assert len(kept(kernels)) == 2


@pytest.mark.parametrize("columns", [2, 3])
def test_arrays_of_any_length_have_the_same_code_and_those_of_other_columns_their_own(kernels, columns):
    function = Native("kernels", "weighted")
    for length in (3, 1, 0, 1000):
        row = Row(np.arange(columns * length).reshape(length, columns), np.zeros(length))
        # rows of two begin with the numbers (2 n, 2 n + 1), rows of three with (3 n, 3 n + 1)
        assert function(row, 10) == sum(10 * (columns * n) - (columns * n + 1) for n in range(length))
    assert len(kept(kernels)) == 1
    function(Row(np.ones((1, 4), dtype=np.int64), np.zeros(1)), 10)
    assert len(kept(kernels)) == 2


def test_what_is_taken_apart_once_is_what_it_was(kernels):
    function, row = Native("kernels", "weighted"), Row(np.ones((2, 2), dtype=np.int64), np.zeros(2))
    apart = Apart.of(row)
    assert function(apart, 3) == function(row, 3) == 4
    row.values[1, 0] = 5
    assert function(apart, 3) == 16
    assert row.sums.tolist() == [2, 14]
    assert len(kept(kernels)) == 1


def test_a_numba_that_calls_in_another_way_is_refused(kernels, monkeypatch):
    monkeypatch.setattr(native._Frame, "_add", lambda frame, argument: frame.passes.append("i32 0"))
    message = r"^numba \S+ calls functions in a way that archsim does not know$"
    with pytest.raises(RuntimeError, match=message):
        Native("kernels", "dividing")(2)
    assert kept(kernels) == []


def test_a_later_process_needs_no_numba(kernels):
    assert called_elsewhere(kernels) == ["3", "True"]
    assert called_elsewhere(kernels) == ["3", "False"]


def test_a_changed_source_is_compiled_again(kernels):
    assert called_elsewhere(kernels) == ["3", "True"]
    (kernels / "kernels.py").write_text(KERNELS.replace("7 //", "9 //"))
    assert called_elsewhere(kernels) == ["4", "True"]
    assert len(kept(kernels)) == 1


@pytest.mark.parametrize("damage", ["empty", "cut", "changed", "foreign"])
def test_a_broken_file_is_compiled_again(kernels, compilations, damage):
    Native("kernels", "dividing")(2)
    (file,) = kept(kernels)
    whole = file.read_bytes()
    file.write_bytes(
        {
            "empty": b"",
            "cut": whole[:-1],
            "changed": whole[:200] + bytes([whole[200] ^ 1]) + whole[201:],
            "foreign": b"not machine code at all" * 100,
        }[damage]
    )
    for _ in range(3):
        assert Native("kernels", "dividing")(2) == 3
    assert compilations == ["dividing", "dividing"]


def test_where_the_package_cannot_be_written_the_users_cache_is_taken(kernels, compilations, tmp_path):
    (kernels / "__pycache__").write_text("a file where the folder would be")
    for _ in range(3):
        assert Native("kernels", "dividing")(2) == 3
    assert compilations == ["dividing"]
    assert len(kept(tmp_path / "cache")) == 1


def test_where_nothing_can_be_written_it_is_compiled_each_time(kernels, compilations, tmp_path):
    for place in (kernels / "__pycache__", tmp_path / "cache"):
        place.write_text("a file where the folder would be")
    for _ in range(2):
        assert Native("kernels", "dividing")(2) == 3
    assert compilations == ["dividing", "dividing"]


def test_nothing_but_the_code_is_left_on_disk(kernels):
    Native("kernels", "dividing")(1)
    (file,) = kept(kernels)
    assert {each for each in file.parent.iterdir() if each.suffix != ".pyc"} == {file}


def test_what_allocates_is_refused(kernels):
    with pytest.raises(TypeError, match=r"^allocating calls NRT_.*: compiled functions allocate nothing$"):
        Native("kernels", "allocating")(np.zeros(2))
    assert kept(kernels) == []


def test_what_raises_is_an_error(kernels):
    with pytest.raises(RuntimeError, match=r"^kernels\.dividing raised an error: status 1$"):
        Native("kernels", "dividing")(0)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("7", "compiled functions take no str"),
        (np.zeros((3, 3)).T[:, :2], "compiled functions take arrays in C order that can be written to"),
        (np.zeros(3, dtype=">i8"), "compiled functions take arrays in C order that can be written to"),
        (np.broadcast_to(1, (1,)), "compiled functions take arrays in C order that can be written to"),
    ],
)
def test_other_arguments_are_refused(kernels, argument, message):
    with pytest.raises(TypeError, match=f"^{message}$"):
        Native("kernels", "dividing")(argument)


def test_a_module_that_does_not_exist():
    with pytest.raises(ModuleNotFoundError, match="no module named 'nowhere'"):
        Native("nowhere", "function")(1)
