"""The data files of published figures: strict, and complete."""

from __future__ import annotations

import pytest

from archsim.errors import ArchsimError
from archsim.reproduce.papers import PAPERS
from archsim.reproduce.published import fill, load_published, published_value, read_published
from archsim.reproduce.study import group_of

GOOD = """paper: A
figures:
  - {id: a.b, what: speed, published: 2, unit: x, place: page 1}
  - {id: a.c, what: energy, unit: pJ, place: "-", why: because}
"""


def test_a_good_file() -> None:
    published = read_published(GOOD, "a.yaml")
    assert [figure.id for figure in published.figures] == ["a.b", "a.c"]
    assert [figure.published for figure in published.figures] == [2, None]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "what: speed",
            "waht: speed",
            "a.yaml:3: figures.0.what: missing\n"
            "a.yaml:3: figures.0.waht: unknown key (did you mean 'what'?); "
            "allowed: id, what, published, unit, bound, place, why",
        ),
        ("a.c", "a.b", "a.yaml:4: figures.1.id: 'a.b' is there already, in line 3"),
        ("place: page 1", "place: ''", "a.yaml:3: figures.0.place: must have at least 1 character, not ''"),
        (
            "published: 2",
            "published: two",
            "a.yaml:3: figures.0.published: must be a valid number, not 'two'",
        ),
        (
            "published: 2",
            "published: .inf",
            "a.yaml:3: figures.0.published: must be a finite number, not inf",
        ),
        (
            "id: a.b",
            "id: ab",
            "a.yaml:3: figures.0.id: must be a group and a name, such as energy.sprint, not 'ab'",
        ),
        ("paper: A\n", "", "paper: missing"),
        ("paper: A", "paper: A\nyear: 2025", "a.yaml:2: year: unknown key; allowed: paper, figures"),
        ("place: page 1}", "place: page 1, place: page 2}", "given twice"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, message: str) -> None:
    assert old in GOOD
    with pytest.raises(ArchsimError) as caught:
        read_published(GOOD.replace(old, new), "a.yaml")
    assert message in str(caught.value)


def test_all_findings_at_once() -> None:
    with pytest.raises(ArchsimError) as caught:
        read_published(GOOD.replace("unit", "units"), "a.yaml")
    assert len(caught.value.findings) == 4  # two unknown keys, two that are missing


@pytest.mark.parametrize("paper", PAPERS)
def test_figures_and_groups_belong_together(paper: str) -> None:
    groups = {group.name for group in PAPERS[paper]}
    assert {group_of(figure) for figure in load_published(paper).figures} == groups


@pytest.mark.parametrize("paper", PAPERS)
def test_every_published_figure_says_where_it_stands(paper: str) -> None:
    for figure in load_published(paper).figures:
        assert (figure.place != "-") == (figure.published is not None), figure.id


def test_a_published_value() -> None:
    assert published_value("isaac", "peaks.gops_per_mm2") == 478.95


def test_texts_are_filled_with_measured_numbers() -> None:
    assert fill("{a.b:.1f} pJ, {c}", {"a.b": 2.04, "c": 3}) == "2.0 pJ, 3"
    with pytest.raises(ArchsimError, match=r"no run gives 'a.d' \(did you mean 'a.b'\?\)"):
        fill("{a.d}", {"a.b": 1.0})
