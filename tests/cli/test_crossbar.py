"""``archsim crossbar``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archsim
from archsim.cli.main import main
from archsim.crossbar.program import Crossbar

QUIET = ["--set", "pu.parts.analog.noise.write=none", "--set", "pu.parts.analog.noise.slc_write=none"]
SMALL = ["--rows", "70", "--columns", "20", "--batch", "3"]


@pytest.fixture
def preset(root: Path) -> str:
    return str(root / "hwconfigs/hyflexpim.yaml")


@pytest.fixture
def shown(preset: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """What the command prints as JSON."""

    def shown(*arguments: str) -> Any:
        assert main(["crossbar", preset, *arguments, "--json"]) == 0
        out, err = capsys.readouterr()
        assert err == ""
        return json.loads(out)

    return shown


def saved(path: Path, array: Any) -> str:
    np.save(path, array)
    return str(path)


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as error:
        main(["crossbar", "--help"])
    assert error.value.code == 0
    out = capsys.readouterr().out
    assert "\n  archsim crossbar hwconfigs/hyflexpim.yaml " in out[out.index("examples:") :]


def test_a_machine_without_analog_arrays(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = root / "hwconfigs/non_pim.yaml"
    assert main(["crossbar", str(file), *SMALL]) == 2
    told = f"{file}: mapping.linear: 'processor' has no analog arrays whose arithmetic could be computed\n"
    assert capsys.readouterr() == ("", told)


# --- the table


def test_the_table(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crossbar", preset, "--rows", "256", "--columns", "64"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "HyFlexPIM: 16 vectors times 256 x 64 weights"
    assert "SLC ADC      6 b, clip, nearest: 64 codes 1 level apart, 0 to 63; the full sum is 64" in lines
    assert "MLC ADC      7 b, clip, nearest: 128 codes 1 level apart, 0 to 127; the full sum is 192" in lines
    rows = {line[:34].strip(): line[34:].split("  ") for line in lines}
    columns = {label: [cell.strip() for cell in cells if cell.strip()] for label, cells in rows.items()}
    assert columns[""] == ["SLC", "MLC", "5% SLC"]
    # 64 outputs x 8 or 4 cells x 4 row blocks x 8 reads x 16 vectors; 4 of the 64 columns are SLC
    assert columns["conversions"] == ["262,144", "131,072", "139,264"]
    # facts of the paper's Table 2: 1.03 and 0.71 pJ a MAC
    assert columns["a MAC"][:2] == ["1.029 pJ", "0.7101 pJ"]
    assert max(map(len, lines)) <= 100


def test_sigma_and_error_rate_stand_side_by_side(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crossbar", preset, *SMALL]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("write noise")]
    assert "sigma" in line
    assert "misreads" in line


def test_other_effects_are_told_where_there_are_any(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    noise = "pu.parts.analog.noise"
    settings = [f"{noise}.stuck.lowest=0.01", f"{noise}.stuck.highest=0.02", f"{noise}.ir_drop.wire_ohm=1"]
    options = [word for setting in settings for word in ("--set", setting)]
    assert main(["crossbar", preset, *SMALL, *options]) == 0
    out = capsys.readouterr().out
    assert "stuck cells  0.01 at the lowest level, 0.02 at the highest\n" in out
    assert "IR drop      1 ohm of wire from cell to cell\n" in out


def test_factors_are_named(preset: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["crossbar", preset, *SMALL, "--svd"]) == 0
    out = capsys.readouterr().out
    # 70 x 20 / 90 = 15
    assert out.startswith("HyFlexPIM: 3 vectors times 70 x 20 weights, in two factors of rank 15\n")
    assert "SLC ADC      6 b, clip, nearest for the first factor: 64 codes" in out
    assert "MLC ADC      7 b, clip, nearest for the second factor: 128 codes" in out


# --- the numbers


def test_cost_and_conversions_belong_together(shown: Callable[..., Any]) -> None:
    """A conversion of 7 b is 512 mW x 100 ns / 65536 bitlines = 0.78125 pJ, one of 6 b half of that."""
    modes = shown("--rows", "256", "--columns", "64", *QUIET)["modes"]
    for mode, energy_pj in (("slc", 0.390625), ("mlc", 0.78125)):
        cost = modes[mode]["cost"]
        assert cost["by_component_pj"]["analog.adc"] == pytest.approx(modes[mode]["conversions"] * energy_pj)
        assert cost["array_energy_pj"] == pytest.approx(sum(cost["by_component_pj"].values()))
        assert cost["array_energy_per_mac_pj"] == pytest.approx(cost["array_energy_pj"] / (256 * 64 * 16))
        # 15 inputs of 8 reads of 100 ns each, then 100 + 7 x 100 + 100 + 1 + 1; buses before and after it
        assert 12_902 < cost["latency_ns"] < 13_000
    # 4 blocks x 64 / 16 weights a row; 32 MLC weights a row
    assert (modes["slc"]["cost"]["arrays"], modes["mlc"]["cost"]["arrays"]) == (16, 8)


def test_a_quiet_machine_is_exact_on_random_numbers(shown: Callable[..., Any]) -> None:
    found = shown(*SMALL, *QUIET)
    assert found["noise"]["write"] == {"slc": "none", "mlc": "none"}
    for values in found["modes"].values():
        assert values["error"]["largest"] == values["saturated"] == 0
        # what 8 b lose of weights and inputs
        assert 0.001 < values["error_of_real"]["relative_rms"] < 0.05


def test_the_worst_matrix(shown: Callable[..., Any], tmp_path: Path) -> None:
    """68 % too little in MLC, 3 % in SLC (see tests/crossbar/test_worst.py), and nothing with ``flip``."""
    files = [
        "--matrix",
        saved(tmp_path / "w.npy", np.full((64, 2), 127)),
        "--inputs",
        saved(tmp_path / "x.npy", np.array([[127] * 64, [0] * 64])),
    ]
    modes = shown(*files, *QUIET)["modes"]
    exact = 127 * 127 * 64
    assert modes["mlc"]["error"]["largest"] / exact == pytest.approx(0.68, abs=0.005)
    assert modes["slc"]["error"]["largest"] / exact == pytest.approx(0.0314, abs=0.0005)
    # 7 reads x 8 or 4 cells x 2 columns
    assert (modes["slc"]["saturated"], modes["mlc"]["saturated"]) == (112, 56)
    # the spread of two equal outputs of 0 and two of ``exact`` is half of it
    assert modes["mlc"]["error"]["relative_largest"] == pytest.approx(2 * 0.68, abs=0.01)
    flipped = shown(*files, *QUIET, "--set", "pu.parts.analog.adc.range=flip")["modes"]
    assert [values["error"]["largest"] for values in flipped.values()] == [0, 0, 0]


def test_the_same_as_the_api(shown: Callable[..., Any], preset: str, tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    matrix, inputs = draw.integers(-128, 128, (100, 40)), draw.integers(-128, 128, (5, 100))
    files = ["--matrix", saved(tmp_path / "w.npy", matrix), "--inputs", saved(tmp_path / "x.npy", inputs)]
    found = shown(*files, "--seed", "3")["modes"]["hybrid"]
    product = Crossbar.of(archsim.load_hardware(preset)).program(matrix, seed=3).multiply(inputs, seed=3)
    exact = inputs @ matrix
    assert found["error"]["rms"] == pytest.approx(np.sqrt(np.mean((product.values - exact) ** 2)))
    assert found["error"]["largest"] == pytest.approx(np.abs(product.values - exact).max())
    assert found["error"]["relative_rms"] == pytest.approx(found["error"]["rms"] / exact.std())
    assert found["error"] == found["error_of_real"]  # nothing was quantised
    assert (found["conversions"], found["saturated"]) == (product.conversions, product.saturated)


def test_equal_commands_print_equal_bytes(shown: Callable[..., Any]) -> None:
    assert shown(*SMALL) == shown(*SMALL)
    assert shown(*SMALL) != shown(*SMALL, "--seed", "1")


@pytest.mark.parametrize("svd", [[], ["--svd"]])
def test_a_calibrated_converter(shown: Callable[..., Any], svd: list[str]) -> None:
    """Of few bits: in unit steps it could not hold the sums of 64 rows."""
    adc = "pu.parts.analog.adc"
    settings = [
        "--set",
        f"{adc}.range=calibrated",
        "--set",
        f"{adc}.bits.slc=3",
        "--set",
        f"{adc}.bits.mlc=3",
    ]
    converters = shown(*SMALL, *QUIET, *settings, *svd)["converters"]
    assert [each["mode"] for each in converters] == (["slc", "slc", "mlc", "mlc"] if svd else ["slc", "mlc"])
    assert [each["factor"] for each in converters] == (["first", "second"] * 2 if svd else ["", ""])
    for each in converters:
        assert each["codes"] == 8
        assert each["step_levels"] > 1
        assert each["most_levels"] - each["least_levels"] == pytest.approx(7 * each["step_levels"])


def test_unsigned_inputs_are_drawn_without_signs(shown: Callable[..., Any]) -> None:
    found = shown(*SMALL, *QUIET, "--set", "pu.parts.analog.arithmetic.inputs=unsigned")
    assert found["modes"]["slc"]["error"]["largest"] == 0


def test_other_widths(shown: Callable[..., Any]) -> None:
    found = shown(*SMALL, *QUIET, "--weight-bits", "4", "--input-bits", "6")
    # 20 outputs x 4 cells x 2 blocks x 6 reads x 3 vectors
    assert found["modes"]["slc"]["conversions"] == 2880
    cost = found["modes"]["slc"]["cost"]
    assert cost["by_component_pj"]["analog.adc"] == pytest.approx(2880 * 0.390625)


def test_what_does_not_fit_one_pu_is_computed_without_its_cost(
    preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["crossbar", preset, *SMALL, *QUIET, "--set", "pu.parts.analog.count=1"]
    arguments += ["--set", "pu.parts.analog.arrays=4"]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    # 2 blocks of 20 weights, 16 SLC or 32 MLC weights a row: 4 arrays, and 2
    assert "not costed" not in out
    assert main([*arguments, "--set", "pu.parts.analog.arrays=2"]) == 0
    out = capsys.readouterr().out
    rows = {line[:34].strip(): line[34:].split() for line in out.splitlines()}
    assert rows["arrays"] == ["-", "2", "-"]
    assert rows["conversions"][0] == "7,680"
    assert "\nnot costed   SLC: " in out
    assert "short" in out


# --- what cannot be done


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            ["--rows", "0", "--columns", "-3", "--batch", "0"],
            "--rows: must be at least 1, not 0\n"
            "--columns: must be at least 1, not -3\n"
            "--batch: must be at least 1, not 0\n",
        ),
        (
            [*SMALL, "--weight-bits", "1", "--input-bits", "17", "--seed", "-1"],
            "--weight-bits: must be at least 2, not 1\n"
            "--input-bits: must be at most 16, not 17\n"
            "--seed: must be at least 0, not -1\n",
        ),
        ([], "--rows: is needed without --matrix\n--columns: is needed without --matrix\n"),
        (
            ["--rows", "3", "--matrix", "w.npy", "--batch", "2", "--inputs", "x.npy"],
            "--rows: is that of --matrix: leave it out\n--batch: is that of --inputs: leave it out\n",
        ),
        (
            ["--rows", "100000", "--columns", "100000"],
            "100000 x 100000 weights are 10,000,000,000 numbers; at most 16,777,216 are taken\n",
        ),
        (
            ["--rows", "16777216", "--columns", "1", "--batch", "2"],
            "2 vectors of 16777216 numbers are 33,554,432 numbers; at most 16,777,216 are taken\n",
        ),
        (
            ["--rows", "99999999", "--columns", "1"],
            "--rows: must be at most 16,777,216, not 99,999,999\n",
        ),
        (
            ["--rows", "1", "--columns", "1", "--svd"],
            "a matrix of 1 x 1 has no hard-threshold rank: 1 x 1 / (1 + 1) is below 1; program it whole, or "
            "give a rank\n",
        ),
        (
            [
                *(*SMALL, *QUIET, "--set", "pu.parts.analog.adc.range=calibrated"),
                *("--set", "pu.parts.analog.adc.step_levels=1", "--set", "pu.parts.analog.adc.bits.slc=1"),
            ],
            "adc.step_levels: 2 codes of 1 levels cannot hold the sums of the samples, 0 to ",
        ),
    ],
)
def test_nonsense_is_an_error(
    arguments: list[str], told: str, preset: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["crossbar", preset, *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(told)
    assert err.count("\n") == max(told.count("\n"), 1)


def test_files_that_hold_no_matrix(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.savez(tmp_path / "several.npz", np.ones((2, 2)))
    np.save(tmp_path / "objects.npy", np.array([[None]], dtype=object), allow_pickle=True)
    (tmp_path / "empty.npy").touch()
    (tmp_path / "text.npy").write_text("1 2 3\n")
    for name, array in {
        "nan": np.array([[1, np.nan]]),
        "vector": np.ones(3),
        "none": np.ones((0, 3)),
        "words": np.array([["a"]]),
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
    for name, told in {
        "nowhere.npy": ": no such file or directory",
        ".": ": is a directory",
        "several.npz": ": holds several arrays: save the one in a .npy file",
        "objects.npy": ": is no array that numpy.save has written",
        "empty.npy": ": is no array that numpy.save has written",
        "text.npy": ": is no array that numpy.save has written",
        "nan.npy": " holds nan at row 0, column 1 (1 such in all); numbers must be finite",
        "vector.npy": " has the shape (3,); it must have rows and columns, at least one each",
        "none.npy": " has the shape (0, 3); it must have rows and columns, at least one each",
        "words.npy": " is <U1; it must be of integers or real numbers",
    }.items():
        file = tmp_path / name
        assert main(["crossbar", preset, "--matrix", str(file)]) == 2
        assert capsys.readouterr() == ("", f"{file}{told}\n")


def test_inputs_of_another_length(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    inputs = saved(tmp_path / "x.npy", np.ones((2, 5)))
    assert main(["crossbar", preset, "--rows", "4", "--columns", "4", "--inputs", inputs]) == 2
    told = "inputs have the shape (2, 5); a matrix of 4 rows takes (4,) or (batch, 4)\n"
    assert capsys.readouterr() == ("", told)


def test_weights_beyond_the_bits(preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    matrix = saved(tmp_path / "w.npy", np.array([[200]]))
    assert main(["crossbar", preset, "--matrix", matrix]) == 2
    told = "weights of 8 bits, offset: the values 0 to 200 go beyond -128 to 127\n"
    assert capsys.readouterr() == ("", told)
