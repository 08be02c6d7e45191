"""docs/reproduction.md is what its tool writes, and texts stand on numbers of their own group."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from archsim.reproduce.papers import PAPERS
from archsim.reproduce.published import load_published
from archsim.reproduce.study import group_of

sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

from write_reproduction import PAGE, page, studies


@pytest.mark.slow
def test_the_page_is_current() -> None:
    """Half a minute on two cores; make docs rewrites it. Pictures are links on it, and are not drawn."""
    without_pictures = re.sub(r"!\[.*\]\(.*\)\n\n", "", PAGE.read_text(encoding="utf-8"))
    assert page(studies(jobs=2, draw=False)) == without_pictures


@pytest.mark.parametrize("paper", PAPERS)
def test_texts_use_numbers_of_their_own_group(paper: str) -> None:
    """``--only`` runs one group."""
    for figure in load_published(paper).figures:
        for name in re.findall(r"\{([\w.]+)", figure.why):
            assert name.partition(".")[0] == group_of(figure), figure.id


def test_the_page_has_every_figure() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for paper in PAPERS:
        for figure in load_published(paper).figures:
            assert f" | {figure.what} | " in text, figure.id
