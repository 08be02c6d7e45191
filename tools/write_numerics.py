"""Write docs/numerics.md: python tools/write_numerics.py"""

from numerics.measure import ROOT
from numerics.page import page

if __name__ == "__main__":
    (ROOT / "docs" / "numerics.md").write_text(page(), encoding="utf-8")
