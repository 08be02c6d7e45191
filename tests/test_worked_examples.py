"""The examples of docs/timing.md and docs/cost.md give what the pages print."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

PAGES = ("timing", "cost")


def examples(page: Path) -> doctest.DocTest:
    """All ``pycon`` blocks of a page as one session, at the lines where they stand."""
    text = page.read_text(encoding="utf-8")
    code = re.compile(r"^```pycon\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    kept = [match.span(1) for match in code.finditer(text)]
    # blank lines in the place of prose, so that failures name the lines of the page
    session, end = "", 0
    for first, last in kept:
        session += "\n" * text.count("\n", end, first) + text[first:last]
        end = last
    return doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)


@pytest.mark.parametrize("name", PAGES)
def test_examples_give_what_the_page_prints(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    session = examples(root / "docs" / f"{name}.md")
    report: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(session, out=report.append)
    assert outcome.attempted > 10
    assert not outcome.failed, "".join(report)


@pytest.mark.parametrize("name", PAGES)
def test_every_section_has_an_example(name: str, root: Path) -> None:
    """But for those that only explain what a YAML says."""
    sections = re.split(
        r"^## ", (root / "docs" / f"{name}.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    without = [section.splitlines()[0] for section in sections if ">>> " not in section]
    assert without in ([], ["Cost entries"])


def test_a_wrong_number_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n```pycon\n>>> 8 * 100\n801\n```\n\nwords\n")
    report: list[str] = []
    outcome = doctest.DocTestRunner(verbose=False).run(examples(page), out=report.append)
    assert (outcome.attempted, outcome.failed) == (1, 1)
    assert "line 4" in report[0]
