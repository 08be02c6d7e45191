"""Values that replace those of the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archsim.errors import HardwareError
from archsim.hardware.loader import machine_of, read_text
from archsim.hardware.located_yaml import read_yaml
from archsim.hardware.machine import Machine

Load = Callable[..., Machine]

PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("chip.pus=12", lambda model: model.chip.pus == 12),
        (" chip.pus = 12 ", lambda model: model.chip.pus == 12),
        ("system.clock_ghz=1e-1", lambda model: model.system.clock_ghz == 0.1),
        ("system.name=a=b", lambda model: model.system.name == "a=b"),
        ("system.chip_link.gb=64", lambda model: model.system.chip_link.gb == 64),
        ("pu.parts.cells.shape.columns=256", lambda model: model.pu.parts["cells"].shape.columns == 256),
        ("pu.parts.vector.passes.softmax=2", lambda model: model.pu.parts["vector"].passes == {"softmax": 2}),
        # left to their defaults by the file
        ("mapping.replication=none", lambda model: model.mapping.replication == "none"),
        ("mapping.tensor_parallel=2", lambda model: model.mapping.tensor_parallel == 2),
        ("pu.parts.cells.label=null", lambda model: model.pu.parts["cells"].label is None),
        ("pu.parts.cells.weights=[1, 2]", lambda model: model.pu.parts["cells"].weights == [1, 2]),
        # a key of the user's, and a source
        ("pu.parts.vector.passes.gelu=1", lambda model: model.pu.parts["vector"].passes["gelu"] == 1),
        ("chip.sources.pus=a paper", lambda model: model.chip.sources == {"pus": "a paper"}),
    ],
)
def test_a_value_is_set(load: Load, toy: str, override: str, read: Any) -> None:
    assert read(load(toy, [override]).model)


def test_a_section_that_the_file_leaves_out_is_begun(load: Load, toy: str) -> None:
    overrides = ["pu.parts.cells.spare.rows=2", "pu.parts.cells.spare.columns=3"]
    spare = load(toy, overrides).model.pu.parts["cells"].spare  # type: ignore[attr-defined]
    assert (spare.rows, spare.columns) == (2, 3)


def test_values_may_come_by_path(load: Load, toy: str) -> None:
    machine = load(toy, {"chip.pus": np.int64(5), "system.clock_ghz": 1.5, "mapping.svd": "hard_threshold"})
    assert (machine.pus, machine.clock_ghz, machine.mapping.svd) == (5, 1.5, "hard_threshold")


def test_what_was_read_stays_as_it_is() -> None:
    document = read_yaml(read_text(str(PRESET)), "hw.yaml")
    settings = {"chip.pus": 5, "pu.parts.analog.array.rows": 32, "pu.parts.analog.sources.arrays": "a paper"}
    assert machine_of(document, "hw.yaml", settings).pus == 5
    assert document.data == read_yaml(read_text(str(PRESET)), "hw.yaml").data


def test_of_two_values_for_a_path_the_last_counts(load: Load, toy: str) -> None:
    assert load(toy, ["chip.pus=4", "chip.pus=5"]).pus == 5


def test_a_value_of_the_file_that_is_wrong_may_be_set_right(load: Load, toy: str) -> None:
    assert load(toy.replace("pus: 3", "pus: x"), ["chip.pus=4"]).pus == 4


KEYS_OF_MAPPING = (
    "linear, attention, nonlinear, intermediates, embedding, slc_rate, svd, replication, tensor_parallel, "
    "tensor_split, in_flight, score_slots, sources"
)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("chip.pus", "--set chip.pus: must be PATH=VALUE, such as chip.pus=12"),
        ("=3", "--set =3: must be PATH=VALUE, such as chip.pus=12"),
        ("", "--set : must be PATH=VALUE, such as chip.pus=12"),
        ("chip.pus=", "--set chip.pus=: no VALUE after the '='; nothing at all is written as null"),
        (
            "chip.pus={a: 1}",
            "--set chip.pus={a: 1}: VALUE must be a number, a word or a list, not a mapping",
        ),
        (
            "chip.pus=[1",
            "--set chip.pus=[1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'",
        ),
        (
            "chip.pus=&a 1",
            "--set chip.pus=&a 1: anchors and aliases (&a) are not supported: repeat the value",
        ),
        ("chip.pus=\udcff", r"--set 'chip.pus=\udcff': not a text: it has the character U+DCFF"),
        ("chip.pus=0", "--set chip.pus=0: must be at least 1, not 0"),
        ("chip.pus=2.0", "--set chip.pus=2.0: must be a whole number, not 2.0 (write 2)"),
        ("chip.pus=null", "--set chip.pus=null: must be a whole number, not nothing"),
        ("mapping.slc_rate=1.5", "--set mapping.slc_rate=1.5: must be at most 1, not 1.5"),
        (
            "chips.pus=1",
            "--set chips.pus=1: unknown key 'chips' (did you mean 'chip'?); "
            "allowed: system, chip, pu, mapping, sources",
        ),
        (
            "mapping.slc_rat=1",
            "--set mapping.slc_rat=1: unknown key 'slc_rat' of mapping (did you mean 'slc_rate'?); "
            f"allowed: {KEYS_OF_MAPPING}",
        ),
        (
            "pu.parts.cell.count=3",
            "--set pu.parts.cell.count=3: unknown key 'cell' of pu.parts (did you mean 'cells'?); "
            "allowed: cells, vector",
        ),
        (
            "pu.parts.cells.shape.colums=3",
            "--set pu.parts.cells.shape.colums=3: unknown key 'colums' of pu.parts.cells.shape "
            "(did you mean 'columns'?); allowed: rows, columns, sources",
        ),
        ("chip.pus.x=3", "--set chip.pus.x=3: chip.pus is a plain value: it has no keys"),
        (
            "chip..pus=3",
            "--set chip..pus=3: unknown key '' of chip; allowed: pus, interconnect, global_bus, parts, "
            "sources",
        ),
        # findings about what the value is part of, and about parts of the value
        (
            "pu.parts.cells.shape.columns=32",
            "--set pu.parts.cells.shape.columns=32: pu.parts.cells.shape: "
            "columns (32) must not be below rows (64)",
        ),
        (
            "pu.parts.cells.weights=[1, x]",
            "--set pu.parts.cells.weights=[1, x]: pu.parts.cells.weights.1: "
            "must be a whole number, not the text 'x'",
        ),
        ("pu.parts.cells=3", "--set pu.parts.cells=3: must be a section, not 3"),
        (
            "mapping.linear=vektor",
            "--set mapping.linear=vektor: must name a part of pu.parts, one of: cells, vector, not 'vektor' "
            "(did you mean 'vector'?)",
        ),
        (
            "mapping.linear=vector",
            "hw.yaml:37: mapping.slc_rate: contradicts mapping.linear: the part 'vector' (vector) has no SLC "
            "mode; leave it out",
        ),
    ],
)
def test_a_wrong_override_is_refused(load: Load, toy: str, override: str, message: str) -> None:
    with pytest.raises(HardwareError) as caught:
        load(toy, [override])
    assert str(caught.value) == message


def test_findings_of_file_and_overrides_come_together(load: Load, toy: str) -> None:
    with pytest.raises(HardwareError) as caught:
        load(toy.replace("chips: 2", "chips: 0"), ["chip.pus=0", "chip.buss=1"])
    assert str(caught.value).splitlines() == [
        "hw.yaml:5: system.chips: must be at least 1, not 0",
        "--set chip.buss=1: unknown key 'buss' of chip; allowed: pus, interconnect, global_bus, parts, "
        "sources",
        "--set chip.pus=0: must be at least 1, not 0",
    ]
