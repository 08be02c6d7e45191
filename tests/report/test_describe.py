"""The description of a machine, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from archsim.hardware.loader import load_hardware
from archsim.hardware.machine import Machine
from archsim.report.describe import WIDTH, describe_json, describe_text
from archsim.report.machine_tree import Node, machine_tree


@pytest.fixture(scope="module")
def preset(root: Path) -> Machine:
    return load_hardware(root / "hwconfigs/hyflexpim.yaml")


@pytest.fixture(scope="module")
def larger(root: Path) -> Machine:
    overrides = ["system.chips=3", "pu.parts.sfu.count=2", "pu.parts.analog.arrays=500"]
    return load_hardware(root / "hwconfigs/hyflexpim.yaml", overrides)


def find(node: Node, name: str) -> Node:
    """The node of a name, which is unique."""
    found = [node] if node.name == name else []
    ahead = list(node.inner)
    while ahead:
        inner = ahead.pop()
        ahead += inner.inner
        found += [inner] if inner.name == name else []
    (only,) = found
    return only


def test_costs_are_rolled_up(preset: Machine) -> None:
    tree = machine_tree(preset)
    # Table 2's column sums; the digital one with its SFU
    analog, digital = find(tree, "analog"), find(tree, "digital")
    assert (analog.count, round(analog.area_mm2, 3), round(analog.peak_power_mw, 2)) == (24, 0.470, 930.69)
    assert (digital.count, round(digital.area_mm2, 3), round(digital.peak_power_mw, 2)) == (8, 8.006, 6532.04)
    assert [node.name for node in digital.inner] == ["sfu"]
    # 24 x 0.47 + 8 x 8.00643, the bus has no area; 13600 mW of the bus on top of the modules
    pu = find(tree, "PU")
    assert pu.area_mm2 == pytest.approx(11.28 + 64.05144)
    assert pu.peak_power_mw == pytest.approx(24 * 930.690012 + 8 * (6393.150023 + 138.89) + 13600)
    chip = find(tree, "chip")
    assert chip.peak_power_mw == pytest.approx(24 * pu.peak_power_mw + 62400 + 7987.2)
    assert (chip.count, tree.area_mm2) == (1, pytest.approx(24 * 75.33144))
    assert find(tree, "chip_link").count == 0


def test_counts_multiply(preset: Machine, larger: Machine) -> None:
    tree = machine_tree(larger)
    assert (find(tree, "chip").count, find(tree, "chip_link").count, find(tree, "sfu").count) == (3, 2, 2)
    digital = find(tree, "digital")
    assert digital.area_mm2 == pytest.approx(find(machine_tree(preset), "digital").area_mm2 + 4.79)
    link = find(tree, "chip_link").peak_power_mw
    assert tree.peak_power_mw == pytest.approx(3 * find(tree, "chip").peak_power_mw + 2 * link)


@pytest.mark.parametrize(
    "line",
    [
        "1 chip of 24 PUs, 1 GHz, 65 nm",
        # area of one, peak, leakage; area and peak of all in a PU
        "      analog                  24     0.470          930.69        8.70    11.280       22,336.56",
        "      digital                  8     8.006        6,532.04       26.42    64.051       52,256.32",
        "        sfu                    1     4.790          138.89        1.39",
        "        sample_hold                  0.00006         <0.01        0.00",
        "analog: analog_rram, 24 a PU, on the bus",
        "  capacity                  512 arrays x 24 x 24 PUs = 294,912 arrays",
        "  room of a PU, SLC         12 MiB",
        "  room of a PU, MLC         24 MiB",
        "  weights of a PU, MLC      25,165,824 of 8 b",
        "  8 b input, occupancy      800 cycles",
        "  capacity                  32 MiB x 8 x 24 PUs = 6 GiB",
        "  8 b x 8 b products        273.07 a cycle and module",
        "sfu: sfu, 8 a PU, inside digital",
        "  used for                  attention, intermediates",
        "  - 1 % of the active power, as in 65 nm low-power logic (10 numbers)",
        "      pu.parts.sfu.passes",
    ],
)
def test_the_preset_has_the_line(preset: Machine, line: str) -> None:
    assert line in describe_text(preset).splitlines()


def test_every_line_fits_the_page(preset: Machine, larger: Machine) -> None:
    for machine in (preset, larger):
        for line in describe_text(machine).splitlines():
            assert len(line) <= WIDTH
            assert line == line.rstrip()


def test_several_chips_and_odd_sizes(larger: Machine) -> None:
    lines = describe_text(larger).splitlines()
    assert "3 chips of 24 PUs, 1 GHz, 65 nm" in lines
    assert "  capacity                  500 arrays x 24 x 24 PUs x 3 chips = 864,000 arrays" in lines
    # 500 x 24 arrays of 1 KB: 12000 KiB = 11.71875 MiB
    assert "  room of a PU, SLC         11.719 MiB" in lines


def test_every_assumption_is_listed_once(preset: Machine) -> None:
    text = describe_text(preset)
    assumptions = preset.assumptions()
    listed = text[text.index("assumptions (") :]
    assert f"assumptions ({len(assumptions)} numbers)" in listed
    words = listed.replace(",", " ").split()
    for each in assumptions:
        assert words.count(each.path) == 1
    assert len([line for line in listed.splitlines() if line.startswith("  - ")]) == len(
        {each.text for each in assumptions}
    )


def test_json_says_the_same(preset: Machine) -> None:
    described: dict[str, Any] = json.loads(json.dumps(describe_json(preset), allow_nan=False))
    assert list(described) == [
        "name",
        "clock_ghz",
        "technology_nm",
        "peak_tops",
        "tree",
        "parts",
        "media",
        "assumptions",
    ]
    # two operations a MAC: 24 PUs of 31457.28 analog and 2184.53 digital ones a ns
    assert described["peak_tops"] == pytest.approx(2 * 24 * (31457.28 + 2184.5333) / 1000)
    tree = described["tree"]
    assert (tree["name"], tree["area_mm2"]) == ("system", pytest.approx(1807.95456))
    analog = described["parts"]["analog"]
    assert (analog["kind"], analog["per_pu"], analog["capacity_per_pu"]) == ("analog_rram", 24, 12288)
    assert analog["facts"]["read"] == {"value": 100, "unit": "cycles"}
    assert described["media"]["global_bus"]["width"] == {"value": 128, "unit": "bytes a cycle"}
    assert len(described["assumptions"]) == len(preset.assumptions())
