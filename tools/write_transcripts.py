"""Write what commands and examples print into README.md and docs/: python tools/write_transcripts.py"""

import tempfile
from pathlib import Path

from pages import pages, run_page

if __name__ == "__main__":
    for page in pages():
        with tempfile.TemporaryDirectory() as workspace:
            text = page.read_text(encoding="utf-8")
            page.write_text(run_page(text, page.name, Path(workspace)), encoding="utf-8")
