"""Kinds are found by name, and imported when a machine names them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from archsim.cost.entry import Section
from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS, Kinds

ALL = [(kinds, kind) for kinds in (PART_KINDS, MEDIUM_KINDS) for kind in kinds]


@pytest.mark.parametrize(("kinds", "kind"), ALL)
def test_each_kind_has_a_model_that_can_be_built(kinds, kind):
    model = kinds[kind]
    assert issubclass(model, Section)
    assert callable(model.build)
    assert "kind" in model.model_fields


def test_kinds_behave_as_a_dictionary_of_models():
    kinds = Kinds({"sfu": "archsim.parts.sfu.SfuModel"})
    assert (list(kinds), len(kinds), kinds.get("sfo")) == (["sfu"], 1, None)
    assert kinds["sfu"] is kinds["sfu"] is PART_KINDS["sfu"]
    kinds["other"] = Section
    assert kinds["other"] is Section
    del kinds["sfu"]
    assert list(kinds) == ["other"]


def test_kinds_that_no_machine_names_are_not_imported(root):
    script = "import sys, archsim.hardware.machine; print(sorted(sys.modules))"
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)
    assert "archsim.parts.registry" in run.stdout
    assert "archsim.parts.sfu" not in run.stdout
