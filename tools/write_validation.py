"""Write docs/validation.md: python tools/write_validation.py"""

from validation.measure import ROOT
from validation.page import page

if __name__ == "__main__":
    (ROOT / "docs" / "validation.md").write_text(page(), encoding="utf-8")
