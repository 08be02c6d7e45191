"""The reference of the hardware YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from archsim.cost.entry import Count
from archsim.hardware.reference import describe, reference_markdown


def test_the_document_holds_the_reference_as_the_models_give_it(root: Path) -> None:
    document = (root / "docs" / "hardware.md").read_text(encoding="utf-8")
    _, begin, tables = document.partition(
        "<!-- The tables below are written by tools/write_reference.py. -->\n\n"
    )
    assert begin
    assert tables == reference_markdown(), "run: python tools/write_reference.py"


@pytest.mark.parametrize(
    ("annotation", "text"),
    [
        (Count, "whole number ≥ 1"),
        (Annotated[float, Field(gt=0, le=0.5)], "number > 0, ≤ 0.5"),
        (str | None, "text or `null`"),
        (dict[str, Count], "by name: whole number ≥ 1"),
        (list[bool], "list of: `true` or `false`"),
    ],
)
def test_types_are_described_with_their_bounds(annotation: object, text: str) -> None:
    assert describe(annotation) == text
