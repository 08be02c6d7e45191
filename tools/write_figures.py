"""Draws docs/figures/ by the commands that docs/plots.md shows: python tools/write_figures.py"""

import re
import shutil
import tempfile
from pathlib import Path

from pages import ROOT, run_page

PAGE = ROOT / "docs" / "plots.md"
FIGURES = ROOT / "docs" / "figures"


def main() -> None:
    text = PAGE.read_text(encoding="utf-8")
    FIGURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as workspace:
        run_page(text, PAGE.name, Path(workspace))
        for name in re.findall(r"\]\(figures/([\w.]+)\)", text):
            shutil.copyfile(Path(workspace, name), FIGURES / name)


if __name__ == "__main__":
    main()
