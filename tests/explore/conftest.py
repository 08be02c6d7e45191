"""A machine, a workload of some milliseconds, and sweeps in processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

import archsim
from archsim.explore.subject import Subject, read_subject
from archsim.workload.operations import Trace


@pytest.fixture(scope="session")
def preset(root: Path) -> str:
    return str(root / "hwconfigs" / "hyflexpim.yaml")


@pytest.fixture(scope="session")
def small() -> Trace:
    return archsim.generate_trace("minilm", tokens=4, head=False)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One matrix and four tokens."""
    file = tmp_path_factory.mktemp("tiny") / "tiny.trace"
    file.write_text(
        "archsim-trace 1\nmodel tiny\nattention full\nphase prefill tokens=4\n"
        "up linear 0 rows=256 columns=256\n"
    )
    return file


@pytest.fixture
def subject(preset: str, small: Trace) -> Subject:
    return read_subject(preset, small, stream=False)
