"""Broken YAML of the machines with memories: what is wrong, and where, to the letter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from archsim.errors import HardwareError
from archsim.hardware.loader import load_hardware
from archsim.parts.registry import PART_KINDS

Errors = Callable[..., str]

PU_PARTS = "processor, sram, sfu"
ALL_PARTS = f"{PU_PARTS}, dram"


@pytest.fixture
def errors(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Errors:
    """What loading a preset says after one text in it has been replaced; it is called ``hw.yaml``."""
    monkeypatch.chdir(tmp_path)

    def of(preset: str, old: str, new: str) -> str:
        text = (root / f"hwconfigs/{preset}.yaml").read_text(encoding="utf-8")
        assert text.count(old) >= 1
        line = text[: text.index(old)].count("\n") + 1
        Path("hw.yaml").write_text(text.replace(old, new, 1), encoding="utf-8")
        with pytest.raises(HardwareError) as caught:
            load_hardware("hw.yaml")
        return str(caught.value).replace(f"hw.yaml:{line}: ", "HERE: ")

    return of


LINEAR = "linear: {on: processor, held: [sram, dram]}"
FIRST = "bank_bytes: 1570000000\n"
ATTENTION = "attention: {on: processor, held: [sram, dram]}"

NO_PART = f"must name a part of pu.parts, one of: {PU_PARTS}, not"
NO_HOLDER = f"must name a part of pu.parts or chip.parts, one of: {ALL_PARTS}, not"
CONTRADICTS = "contradicts mapping.linear:"

NON_PIM = [
    (LINEAR, "linear: procesor", f"mapping.linear: {NO_PART} 'procesor' (did you mean 'processor'?)"),
    (LINEAR, "linear: [processor]", "mapping.linear: must be a text, not a list"),
    # a chip's part executes nothing for its PUs
    (LINEAR, "linear: dram", f"mapping.linear: {NO_PART} 'dram' (did you mean 'sram'?)"),
    (LINEAR, "linear: {on: dram, held: dram}",
     f"mapping.linear.on: {NO_PART} 'dram' (did you mean 'sram'?)"),
    (LINEAR, "linear: {on: processor, held: [sram, darm]}",
     f"mapping.linear.held: {NO_HOLDER} 'darm' (did you mean 'dram'?)"),
    (LINEAR, "linear: {on: processor, held: []}",
     "mapping.linear.held: must be 1 or more entries, not an empty list"),
    (LINEAR, "linear: {on: processor}",
     "mapping.linear.held: missing: the part that holds the weights, or several: the first that has room for "
     "those of the whole model"),
    (LINEAR, "linear: {on: processor, hold: dram, held: dram}",
     "mapping.linear.hold: unknown key (did you mean 'held'?); allowed: on, held, sources"),
    (LINEAR, "linear: {on: processor, held: sfu}",
     "mapping.linear.held: other parts cannot read what 'sfu' (sfu) holds: name a memory"),
    (ATTENTION, "attention: {on: processor, held: dram, pruner: sprint}",
     f"mapping.attention.pruner: {NO_PART} 'sprint'"),
    ("intermediates: [sram, dram]", "intermediates: [sram, sarm]",
     f"mapping.intermediates: {NO_HOLDER} 'sarm' (did you mean 'sram'?)"),
    ("tensor_parallel: auto", "replication: whole",
     f"mapping.replication: {CONTRADICTS} weights that 'processor' reads from 'sram' have no copies; "
     "leave it out"),
    ("tensor_parallel: auto", "slc_rate: 0.1",
     f"mapping.slc_rate: {CONTRADICTS} the part 'sram' (memory_banks) has no SLC mode; leave it out"),
    ("score_slots: 128", "score_slots: 127",
     "mapping.score_slots: must be at least 128, the tokens that 'processor' takes up together, not 127"),
    (FIRST, "inside: sfu\n      bank_bytes: 1\n",
     "chip.parts.dram.inside: must name a part of chip.parts, one of: dram, not 'sfu'"),
    (FIRST, "inside: dram\n      bank_bytes: 1\n",
     "chip.parts.dram.inside: a part cannot stand inside itself: dram inside dram"),
    ("      bank_bytes: 1570000000\n", "      bank_bytes: 1.57e9\n",
     "chip.parts.dram.bank_bytes: must be a whole number, not 1570000000.0 (write 1570000000)"),
    ("      group_tokens: 128\n", "      group_tokens: 0\n",
     "pu.parts.processor.group_tokens: must be at least 1, not 0"),
    ("      buffer_pieces: 2\n", "      buffer_pieces: 0\n",
     "pu.parts.processor.buffer_pieces: must be at least 1, not 0"),
    ("        energy_pj: 0.44\n", "        energy_pj: -0.44\n",
     "pu.parts.processor.mac.energy_pj: must be at least 0, not -0.44"),
]  # fmt: skip

NMP = [
    ("access_clock_ghz: 0.3", "access_clock_ghz: 0",
     "pu.parts.banks.access_clock_ghz: must be greater than 0, not 0"),
    ("      row_bytes: 1024\n", "      row_bytes: 1 KB\n",
     "pu.parts.banks.row_bytes: must be a whole number, not the text '1 KB'"),
    ("score_slots: 16", "score_slots: 4",
     "mapping.score_slots: must be at least 8, the tokens that 'banks' takes up together, not 4"),
    ("linear: banks", "linear: {on: sfu, held: banks, pruner: sfu}",
     "mapping.linear.pruner: unknown key; allowed: on, held, sources"),
    ("replication: none", "slc_rate: 0", "mapping.slc_rate: contradicts mapping.linear: the part 'banks' "
     "(near_bank) has no SLC mode; leave it out"),
    ("operand_bits: 8", "operand_bits: 65", "pu.parts.banks.operand_bits: must be at most 64, not 65"),
]  # fmt: skip

SPRINT = [
    ("sparsity: 0.746", "sparsity: 74.6", "pu.parts.pruner.sparsity: must be less than 1, not 74.6"),
    ("key_share: 0.5", "key_share: 0", "pu.parts.pruner.key_share: must be greater than 0, not 0"),
    ("query_cycles: 8", "query_cycles: 7.5", "pu.parts.pruner.query_cycles: must be a whole number, not 7.5"),
    ("held: rram, pruner: pruner", "held: pruner, pruner: pruner",
     "mapping.attention.held: other parts cannot read what 'pruner' (key_pruner) holds: name a memory"),
    ("pruner: pruner", "pruner: [pruner]", "mapping.attention.pruner: must be a text, not a list"),
    ("inside: processor", "inside: procesor", "pu.parts.sfu.inside: must name a part of pu.parts, one of: "
     "processor, sram, rram, pruner, sfu, not 'procesor' (did you mean 'processor'?)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("preset", "old", "new", "message"),
    [
        (preset, *case)
        for preset, cases in (("non_pim", NON_PIM), ("nmp", NMP), ("sprint", SPRINT))
        for case in cases
    ],
)
def test_a_broken_machine_is_refused(errors: Errors, preset: str, old: str, new: str, message: str) -> None:
    assert errors(preset, old, new) == f"HERE: {message}"


RENAMED = [
    ("sram", "'sram' is a part of pu.parts too: choose another name", "sram"),
    ("global_bus", "'global_bus' has a meaning of its own in reports: choose another name", "sram"),
]


@pytest.mark.parametrize(("name", "message", "near"), RENAMED)
def test_a_name_that_is_taken(errors: Errors, name: str, message: str, near: str) -> None:
    first, *others = errors("non_pim", "    dram:\n", f"    {name}:\n").split("\n")
    assert first == f"HERE: chip.parts.{name}: {message}"
    # and nothing is called dram any more
    roles = ("linear.held", "attention.held", "intermediates")
    assert [line.split(": ", 1)[1] for line in others] == [
        f"mapping.{role}: must name a part of pu.parts or chip.parts, one of: {PU_PARTS}, {name}, not 'dram' "
        f"(did you mean {near!r}?)"
        for role in roles
    ]


def test_a_kind_that_there_is_not(errors: Errors) -> None:
    known = ", ".join(sorted(PART_KINDS))
    assert errors("non_pim", "kind: memory_banks\n", "kind: memory_bank\n") == (
        f"HERE: chip.parts.dram.kind: must be a kind of part, one of: {known}, not 'memory_bank' "
        "(did you mean 'memory_banks'?)"
    )


def test_a_cost_that_is_missing(errors: Errors) -> None:
    missing, unknown = errors(
        "non_pim", "      write_energy_pj: 8.0      # a bit\n", "      write_energy: 8\n"
    ).split("\n")
    assert missing.split(": ", 1)[1] == "chip.parts.dram.write_energy_pj: missing: writing a bit"
    assert unknown == "HERE: chip.parts.dram.write_energy: unknown key (did you mean 'write_energy_pj'?)"


def test_everything_is_said_at_once(errors: Errors) -> None:
    text = errors("non_pim", LINEAR, "linear: {on: dram, held: [sram, darm, tape]}")
    assert text.split("\n") == [
        f"HERE: mapping.linear.on: {NO_PART} 'dram' (did you mean 'sram'?)",
        f"HERE: mapping.linear.held: {NO_HOLDER} 'darm' (did you mean 'dram'?)",
        f"HERE: mapping.linear.held: {NO_HOLDER} 'tape'",
    ]
