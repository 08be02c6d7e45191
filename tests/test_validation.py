"""docs/validation.md: each fact gives what the page prints, and the page is what the command writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import archsim

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from validation import measure
from validation.fact import Fact
from validation.page import SECTIONS, page

ROWS = [row for section in SECTIONS for row in section.rows]

# What the machine is known to give where it differs from the paper; the derivations:
DIFFERENT = {
    # 3890.02 + .76 + 1.65 + 2381.64 + 119.08 + 138.89 = 6532.04, and 8 x that
    "A5": "6532.04",
    "A9": "52256.32",
    # 24 x .46994, the sum of the rows' areas
    "A6": "11.28",
    # 24 x 930.69
    "A7": "22336.56",
    # (6532.04 - 138.89) mW / 273.07 products a ns
    "C3": "23.4",
    # 60.8 M weights at 24 MiB a PU, rounded up
    "E4": "3",
    # 102400 / 53888 cycles: 128 tokens x 800, and x ceil(800 / (12288 / 6452))
    "F14": "1.90",
}


@pytest.fixture(scope="module")
def printed(root: Path) -> dict[str, list[str]]:
    """The cells of each row of the page, by its name."""
    lines = (root / "docs" / "validation.md").read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    return {row[0]: row for row in cells}


@pytest.mark.parametrize(("label", "fact"), ROWS, ids=[label for label, _ in ROWS])
def test_a_fact_gives_what_the_page_prints(label: str, fact: Fact, printed: dict[str, list[str]]) -> None:
    assert printed[label][4] == fact.shown


def test_the_page_is_what_the_command_writes(root: Path) -> None:
    written = (root / "docs" / "validation.md").read_text(encoding="utf-8")
    assert written == page(), "run: make docs"


def test_what_differs_from_the_paper_is_known_and_explained() -> None:
    different = {label: fact for label, fact in ROWS if fact.agrees is False}
    assert {label: fact.shown for label, fact in different.items()} == DIFFERENT
    assert all(fact.reason for fact in different.values())


def test_capitals_are_overrides() -> None:
    overrides = [value for name, value in vars(measure).items() if name.isupper() and "=" in str(value)]
    assert len(overrides) == 10
    for override in overrides:
        measure.machine(override)


STREAMS = (
    ("bert_large", ()),
    ("bert_large", (measure.SLC, measure.NO_SVD, measure.WHOLE)),
    ("bert_base", (measure.ONE_PU,)),
)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "overrides"), STREAMS)
def test_a_stream_settles_on_the_interval_of_the_page(name: str, overrides: tuple[str, ...]) -> None:
    result = archsim.simulate(measure.machine(*overrides), measure.workload(name))
    bound = measure.interval(measure.graph(name, *overrides))
    assert result.throughput["interval_ns"] == pytest.approx(bound, rel=1e-3)
