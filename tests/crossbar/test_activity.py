"""Measured activity: recorded, kept in a file, given to a machine; and accesses as timing counts them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.cli.main import main
from archsim.crossbar.activity import ActivityRecorder, load_activity, save_activity, with_activity
from archsim.crossbar.program import Crossbar, Programmed
from archsim.errors import CrossbarError, MappingError
from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.parts.activity import MeasuredActivity
from archsim.pipeline import simulate
from archsim.workload.trace import read_trace

ANALOG = "pu.parts.analog"
LIMIT = f"{ANALOG}.array.wordlines_per_access"
FILE = """\
activity: 1
operations:
  - operation: all
    vectors: 2
    conversions: 10
    saturated: 1
    blocks:
      - rows: 2
        planes:
          - [1, 0, 1]
          - [2, 0, 0]
"""


@pytest.fixture
def small(root: Path) -> Any:
    return lambda **chosen: load_hardware(
        root / "tests/machines/small.yaml",
        {f"{ANALOG}.{path.replace('__', '.')}": value for path, value in chosen.items()},
    )


def programmed(machine: Machine, rows: int, columns: int = 3, bits: int = 8, seed: int = 0) -> Programmed:
    weights = np.random.default_rng(seed).integers(-128, 128, (rows, columns))
    return Crossbar.of(machine, input_bits=bits).program(weights)


def activity_file(tmp_path: Path, text: str = FILE) -> Path:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    return file


def test_ones_are_counted_by_plane_and_block(small: Any) -> None:
    # ten rows are blocks of 8 and 2; 3 = 11 in binary, 2 = 10, -4 = 100 in three bits of two's complement
    matrix = programmed(small(), 10, bits=3)
    recorder = ActivityRecorder()
    recorder.record("l0.q", matrix, np.array([[3, 2, 0, 0, 0, 0, 0, -4, 3, 2], [0] * 10]))
    (operation,) = recorder.measured().operations.values()
    assert operation.vectors == 2
    eight, two = operation.blocks[8].planes, operation.blocks[2].planes
    # bit 0: one 3; bit 1: 3 and 2; bit 2: -4; and a block without any
    assert [np.flatnonzero(plane).tolist() for plane in eight] == [[0, 1], [0, 2], [0, 1]]
    assert two.tolist() == [[1, 1, 0], [1, 0, 1], [2, 0, 0]]
    # bits 0 to 2: 2, 4, 1 ones of 20
    assert operation.shares.tolist() == [0.1, 0.2, 0.05]
    # 7 of 12 blocks of planes are empty
    assert operation.empty == pytest.approx(7 / 12)


def test_batches_add_up_and_conversions_with_them(small: Any) -> None:
    matrix = programmed(small(), 10)
    inputs = np.random.default_rng(0).integers(-128, 128, (6, 10))
    at_once, in_turn = ActivityRecorder(), ActivityRecorder()
    at_once.record("q", matrix, inputs)
    for some in (inputs[:1], inputs[1:]):
        in_turn.record("q", matrix, some)
    assert at_once.measured().digest == in_turn.measured().digest


def test_rows_that_pieces_share_count_once(small: Any) -> None:
    weights = np.random.default_rng(0).integers(-128, 128, (8, 4))
    inputs = np.random.default_rng(1).integers(-128, 128, (5, 8))
    counts = {}
    for split in ("rows", "columns"):
        matrix = Crossbar.of(small()).program(weights, split=split, slc=0.5)
        recorder = ActivityRecorder()
        recorder.record("q", matrix, inputs)
        (operation,) = recorder.measured().operations.values()
        counts[split] = {rows: int(block.planes.sum()) for rows, block in operation.blocks.items()}
    # 8 planes of 5 vectors: one block of 8 rows, or two of 4 with inputs of their own
    assert counts == {"columns": {8: 40}, "rows": {4: 80}}


def test_other_planes_are_refused(small: Any) -> None:
    recorder = ActivityRecorder()
    recorder.record("q", programmed(small(), 8, bits=8), np.zeros((1, 8), dtype=int))
    with pytest.raises(CrossbarError) as caught:
        recorder.record("q", programmed(small(), 8, bits=4), np.zeros((1, 8), dtype=int))
    assert str(caught.value) == "inputs of 'q' take 4 reads; those recorded before took 8"
    with pytest.raises(CrossbarError, match="no inputs were recorded"):
        ActivityRecorder().measured()


@settings(max_examples=20)
@given(st.integers(1, 20), st.integers(1, 6), st.integers(0, 99))
def test_a_file_is_read_as_it_was_written(rows: int, vectors: int, seed: int) -> None:
    machine = load_hardware(Path(__file__).parents[1] / "machines/small.yaml")
    recorder = ActivityRecorder()
    inputs = np.random.default_rng(seed).integers(-128, 128, (vectors, rows))
    for name in ("l0.q", 'odd "name": 1', "1"):
        recorder.record(name, programmed(machine, rows), inputs)
    written = recorder.measured()
    with tempfile.TemporaryDirectory() as folder:
        save_activity(f"{folder}/a.yaml", written)
        read = load_activity(f"{folder}/a.yaml")
    assert read.digest == written.digest
    assert list(read.operations) == list(written.operations)
    for name, operation in written.operations.items():
        for height, block in operation.blocks.items():
            assert np.array_equal(read.operations[name].blocks[height].planes, block.planes)


def test_a_hand_written_file(tmp_path: Path) -> None:
    operation = load_activity(activity_file(tmp_path)).operations["all"]
    assert (operation.vectors, operation.conversions, operation.saturated) == (2, 10, 1)
    assert operation.shares.tolist() == [0.5, 0]


@pytest.mark.parametrize(
    ("old", "new", "findings"),
    [
        ("activity: 1", "activity: 2", ["1: activity: must be 1, the version that archsim reads, not 2"]),
        (FILE, "", [" must have the keys activity, operations"]),
        (FILE, "[1]", ["1: must have the keys activity, operations"]),
        ("vectors: 2", "vectors: 0", ["4: operations.0.vectors: must be at least 1, not 0"]),
        ("    vectors: 2\n", "", ["3: operations.0.vectors: missing: inputs that were measured"]),
        ("vectors", "vector", [
            "3: operations.0.vectors: missing: inputs that were measured",
            "4: operations.0.vector: unknown key (did you mean 'vectors'?); allowed: operation, vectors, "
            "conversions, saturated, blocks, sources",
        ]),
        ("saturated: 1", "saturated: 11", [
            "6: operations.0.saturated: must be at most the conversions (10), not 11",
        ]),
        ("[1, 0, 1]", "[1, 0]", [
            "10: operations.0.blocks.0.planes.0: must have 3 counts, for 0 to 2 ones, not 2",
        ]),
        ("[2, 0, 0]", "[0, 0, 0]", ["11: operations.0.blocks.0.planes.1: counts no block at all"]),
        ("[2, 0, 0]", "[2, 0, -1]", [
            "11: operations.0.blocks.0.planes.1.2: must be at least 0, not -1",
        ]),
        ("[2, 0, 0]", "[2, 0, 0.5]", [
            "11: operations.0.blocks.0.planes.1.2: must be a whole number, not 0.5",
        ]),
        ("rows: 2", "rows: 0", ["8: operations.0.blocks.0.rows: must be at least 1, not 0"]),
        (FILE, FILE + FILE.partition("operations:\n")[2], [
            "12: operations.1.operation: 'all' has two entries",
        ]),
        (FILE, FILE + FILE.partition("    blocks:\n")[2], [
            "12: operations.0.blocks.1.rows: blocks of 2 rows have two entries",
        ]),
        (FILE, FILE + "      - {rows: 1, planes: [[1, 1]]}\n", [
            "12: operations.0.blocks.1.planes: has 1 planes, the blocks before it 2",
        ]),
        (FILE, "activity: [", ["1: not YAML"]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file(tmp_path: Path, old: str, new: str, findings: list[str]) -> None:
    assert FILE.count(old) == 1
    file = activity_file(tmp_path, FILE.replace(old, new))
    with pytest.raises(CrossbarError) as caught:
        load_activity(file)
    lines = str(caught.value).splitlines()
    assert len(lines) == len(findings)
    for line, expected in zip(lines, findings, strict=True):
        assert line.startswith(f"{file}:{expected}")


def test_files_that_cannot_be_read_or_written(tmp_path: Path, small: Any) -> None:
    with pytest.raises(CrossbarError) as caught:
        load_activity(tmp_path / "none.yaml")
    assert str(caught.value) == f"{tmp_path}/none.yaml: cannot be read: no such file or directory"
    (tmp_path / "bytes.yaml").write_bytes(b"a: 1\n\xff")
    with pytest.raises(CrossbarError, match=r"bytes.yaml:2: not a text: it has the byte 0xFF"):
        load_activity(tmp_path / "bytes.yaml")
    with pytest.raises(CrossbarError) as caught:
        save_activity(tmp_path / "no/folder.yaml", load_activity(activity_file(tmp_path)))
    assert str(caught.value) == f"{tmp_path}/no/folder.yaml: cannot be written: No such file or directory"


# -- on a machine


def measured_on(machine: Machine, inputs: Any, bits: int = 8) -> MeasuredActivity:
    recorder = ActivityRecorder()
    recorder.record("all", programmed(machine, inputs.shape[1], bits=bits), inputs)
    return recorder.measured()


def test_times_and_energies_follow_the_measurement(root: Path, small: Any) -> None:
    trace = read_trace(root / "tests/machines/matrix.trace")
    machine = small(array__wordlines_per_access=2)
    # one block of 8 rows. All 1: bit 0 has 8 ones, 4 accesses of 10 cycles; the others none
    ones = with_activity(machine, measured_on(machine, np.ones((4, 8), dtype=int)))
    # all -1: eight planes of 8 ones
    full = with_activity(machine, measured_on(machine, -np.ones((4, 8), dtype=int)))
    intervals = [simulate(each, trace).throughput["interval_ns"] for each in (ones, full)]
    # 3 tokens
    assert intervals == [3 * 40, 3 * 8 * 40]
    energies = [
        simulate(each, trace).energy_pj["by_component"]["analog.wordline_driver"] for each in (ones, full)
    ]
    assert energies[1] == 8 * energies[0]


def test_the_result_says_what_it_rests_on(root: Path, small: Any) -> None:
    trace = read_trace(root / "tests/machines/matrix.trace")
    assert "activity" not in simulate(small(), trace).options
    stated = simulate(small(activity__ones=0.25), trace)
    assert stated.options["activity"] == {"analog": "stated: 25.0% ones in every bit-plane"}
    measured = measured_on(small(), np.ones((4, 8), dtype=int))
    options = simulate(with_activity(small(), measured), trace).options
    assert options["activity"] == {"analog": str(measured)}


def test_an_operation_that_was_not_measured(root: Path, small: Any) -> None:
    recorder = ActivityRecorder()
    recorder.record("other", programmed(small(), 8), np.ones((1, 8), dtype=int))
    trace = read_trace(root / "tests/machines/matrix.trace")
    with pytest.raises(MappingError, match=r"says nothing of 'w', nor of 'all' \(it has: other\)"):
        simulate(with_activity(small(), recorder.measured()), trace)


def test_on_the_command_line(root: Path, tmp_path: Path, capsys: Any) -> None:
    command = ["simulate", str(root / "tests/machines/small.yaml"), str(root / "tests/machines/matrix.trace")]
    # eight planes of 8 rows, always half of them ones
    planes = "\n".join(["          - [0, 0, 0, 0, 3, 0, 0, 0, 0]"] * 8)
    head = FILE.replace("all", "w").replace("vectors: 2", "vectors: 3").replace("rows: 2", "rows: 8")
    file = activity_file(tmp_path, head.partition("          - [")[0] + planes)
    assert main([*command, "--activity", str(file)]) == 0
    shown = capsys.readouterr().out
    assert "\nactivity     analog: measured on 3 vectors of 1 operation (" in shown
    assert "50.0% ones, 0.0% of the" in shown
    assert main([*command, "--activity", str(tmp_path / "none.yaml")]) == 2
    assert capsys.readouterr().err == f"{tmp_path}/none.yaml: cannot be read: no such file or directory\n"


@pytest.mark.parametrize("limit", [1, 3, 8])
@pytest.mark.parametrize("lockstep", ["plane", "vector"])
def test_simulated_cycles_are_those_of_the_measured_inputs(
    root: Path, small: Any, limit: int, lockstep: str
) -> None:
    """One row block: the mean of the accesses that the crossbar makes is what timing reckons with."""
    machine = small(array__wordlines_per_access=limit, array__lockstep=lockstep)
    matrix = programmed(machine, 8, columns=1)
    inputs = np.rint(np.random.default_rng(0).normal(0, 20, (64, 8))).astype(int)
    product = matrix.multiply(inputs)
    recorder = ActivityRecorder()
    recorder.record("all", matrix, inputs, product)
    trace = read_trace(root / "tests/machines/matrix.trace")
    result = simulate(with_activity(machine, recorder.measured()), trace)
    # conversions of one column of 8 one-bit cells, or of 4 two-bit cells: one a cell and access
    accesses = product.conversions / 64 / sum(len(piece.cells.levels) for piece in matrix.pieces)
    assert abs(result.throughput["interval_ns"] / 10 - 3 * accesses) <= 1


@pytest.mark.parametrize("inputs", ["twos_complement", "two_pass", "sign_magnitude"])
@pytest.mark.parametrize(("cell", "wordlines", "bits"), [(1, 15, 4), (2, 5, 4), (1, 7, 3), (4, 1, 4)])
def test_the_sparse_product_of_a_small_adc_is_exact(
    root: Path, inputs: str, cell: int, wordlines: int, bits: int
) -> None:
    """N wordlines of c-bit cells have N (2^c - 1) + 1 levels, which so many bits hold: nothing saturates."""
    bits += inputs == "sign_magnitude"
    chosen = {
        LIMIT: wordlines,
        f"{ANALOG}.cell.bits": cell,
        f"{ANALOG}.adc.bits.slc": bits,
        f"{ANALOG}.adc.bits.mlc": bits,
        f"{ANALOG}.adc.energy_law": "doubling",
        f"{ANALOG}.arithmetic.inputs": inputs,
        "mapping.slc_rate": 0.0,
    }
    sparse = Crossbar.of(load_hardware(root / "hwconfigs/flare.yaml", chosen))
    dense = Crossbar.of(
        load_hardware(
            root / "hwconfigs/flare.yaml",
            chosen | {LIMIT: None, f"{ANALOG}.adc.bits.slc": 12, f"{ANALOG}.adc.bits.mlc": 12},
        )
    )
    draws = np.random.default_rng(3)
    weights, vectors = draws.integers(-128, 128, (150, 6)), draws.integers(-127, 128, (5, 150))
    # all the ones at once, and all the cells at the top
    weights[:, 0], vectors[0] = 127, 127
    of_sparse, of_dense = (each.program(weights).multiply(vectors) for each in (sparse, dense))
    assert np.array_equal(of_sparse.values, vectors @ weights)
    assert np.array_equal(of_sparse.values, of_dense.values)
    assert of_sparse.saturated == of_dense.saturated == 0
    # one bit less does not hold them
    coarse = chosen | {f"{ANALOG}.adc.bits.slc": bits - 1, f"{ANALOG}.adc.bits.mlc": bits - 1}
    lossy = (
        Crossbar.of(load_hardware(root / "hwconfigs/flare.yaml", coarse)).program(weights).multiply(vectors)
    )
    assert lossy.saturated > 0
