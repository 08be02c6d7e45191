"""The helpers beside the tests, ``oracle`` and ``cases``, can be imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
