"""Rewrites the reference tables in docs/hardware.md from the models: python tools/write_reference.py"""

from __future__ import annotations

from pathlib import Path

from archsim.hardware.reference import reference_markdown

DOCUMENT = Path(__file__).parents[1] / "docs" / "hardware.md"
BEGIN = "<!-- The tables below are written by tools/write_reference.py. -->\n"


def main() -> None:
    text, _, _ = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    DOCUMENT.write_text(f"{text}{BEGIN}\n{reference_markdown()}", encoding="utf-8")


if __name__ == "__main__":
    main()
