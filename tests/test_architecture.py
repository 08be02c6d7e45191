"""The arrows between packages run one way, start-up stays light, and only parts/ knows the kinds."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import archsim

SOURCE = Path(archsim.__file__).parent

# What each package may import, besides itself; arrows are transitive.
ARROWS: dict[str, tuple[str, ...]] = {
    "errors": (),
    "units": (),
    "native": (),
    "graph_blocks": (),
    "task_graph": ("errors", "graph_blocks"),
    "cost": ("errors", "units"),
    "parts": ("cost", "task_graph", "workload.operations"),
    "hardware": ("parts",),
    "workload": ("errors", "units"),
    "mapping": ("hardware", "workload"),
    "schedule": ("task_graph", "mapping"),
    "sim": ("task_graph", "native"),
    "results": ("sim", "task_graph", "cost"),
    "pipeline": ("schedule", "results"),
    "report": ("results", "hardware"),
    "explore": ("pipeline", "results"),
    "reproduce": ("explore", "report"),
    "crossbar": ("hardware",),
    "codesign": ("crossbar", "mapping"),
}
OPEN_TO_ALL = ("errors", "units")
SEES_ALL = ("cli", "__init__", "__main__")
SECTIONS = {"bus"}  # pu.bus is a path of the YAML
LIGHT_START = ("numba", "matplotlib", "torch", "onnx", "optuna", "dask", "simpy", "pydantic", "numpy", "yaml")


def allowed_for(package: str) -> set[str]:
    """The packages and modules that ``package`` may import."""
    seen = {package, *OPEN_TO_ALL}
    ahead = list(ARROWS[package])
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead.extend(ARROWS.get(name, ()))
    return seen


def imported_modules(file: Path, source: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name below ``archsim`` of each import in a file; '' is the package itself."""
    package = ("archsim", *file.relative_to(source).parent.parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = list(package[: len(package) - node.level + 1]) if node.level else []
            base = ".".join(start + ([node.module] if node.module else []))
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "archsim":
                yield node.lineno, rest


def is_allowed(module: str, allowed: set[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in allowed)


def violations(source: Path) -> list[str]:
    """Every import under ``source`` that the arrows forbid, as ``file:line: what``."""
    found = []
    for file in sorted(source.rglob("*.py")):
        relative = file.relative_to(source)
        package = relative.parts[0].removesuffix(".py")
        if package in SEES_ALL:
            continue
        if package not in ARROWS:
            found.append(f"{relative}:1: package {package!r} is not in the table of arrows")
            continue
        allowed = allowed_for(package)
        for line, module in imported_modules(file, source):
            if not is_allowed(module, allowed):
                found.append(f"{relative}:{line}: {package} must not import {module or 'the API'}")
    return found


def kind_names() -> set[str]:
    from archsim.parts.registry import MEDIUM_KINDS, PART_KINDS

    return {*PART_KINDS, *MEDIUM_KINDS}


def literals_of(names: set[str], source: Path) -> list[str]:
    """Where a string literal outside parts/ is one of ``names``, as ``file:line: what``.

    A name that is also a section of the YAML is reported only where something is compared with it.
    """
    found = []
    for file in sorted(source.rglob("*.py")):
        relative = file.relative_to(source)
        if relative.parts[0] == "parts":
            continue
        nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
        decisions = [node for node in nodes if isinstance(node, ast.Compare | ast.match_case)]
        compared = {id(node) for decision in decisions for node in ast.walk(decision)}
        for node in nodes:
            named = isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in names
            if named and (node.value not in SECTIONS or id(node) in compared):
                found.append(f"{relative}:{node.lineno}: names the kind {node.value!r}")
    return found


def test_imports_follow_the_arrows() -> None:
    assert violations(SOURCE) == []


def test_no_kind_is_named_outside_parts() -> None:
    assert kind_names()
    assert literals_of(kind_names(), SOURCE) == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small archsim of allowed imports, for tests to spoil."""
    for name, text in {
        "__init__.py": "from archsim.cli import main\n",
        "errors.py": "import os\n",
        "sim/engine.py": "from archsim.errors import ArchsimError\nfrom . import components\n",
        "parts/adc.py": "import numpy\nfrom archsim.workload.operations import Operation\n",
        "schedule/lower.py": "from archsim.parts.part import Part\n",
        "cli/main.py": "import archsim\nfrom archsim.explore import space\n",
    }.items():
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return tmp_path


def test_allowed_arrows_are_not_reported(tree: Path) -> None:
    assert violations(tree) == []


@pytest.mark.parametrize(
    ("file", "text", "report"),
    [
        (
            "sim/engine.py",
            "x = 1\nfrom archsim.parts.part import Part\n",
            "sim/engine.py:2: sim must not import parts.part.Part",
        ),
        (
            "errors.py",
            "import archsim.units as u, archsim.cost\n",
            "errors.py:1: errors must not import cost",
        ),
        (
            "parts/adc.py",
            "from archsim.workload import trace\n",
            "parts/adc.py:1: parts must not import workload.trace",
        ),
        (
            "sim/engine.py",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from archsim.mapping import plan\n",
            "sim/engine.py:3: sim must not import mapping.plan",
        ),
        (
            "cost/entry.py",
            "def late():\n    from ..parts import adc\n",
            "cost/entry.py:2: cost must not import parts.adc",
        ),
        ("cost/entry.py", "from .. import parts\n", "cost/entry.py:1: cost must not import parts"),
        ("cost/entry.py", "import archsim\n", "cost/entry.py:1: cost must not import the API"),
        ("helpers.py", "", "helpers.py:1: package 'helpers' is not in the table of arrows"),
        ("newroom/a.py", "", "newroom/a.py:1: package 'newroom' is not in the table of arrows"),
    ],
)
def test_a_forbidden_arrow_is_reported(tree: Path, file: str, text: str, report: str) -> None:
    (tree / file).parent.mkdir(exist_ok=True)
    (tree / file).write_text(text)
    assert violations(tree) == [report]


def test_a_kind_named_outside_parts_is_reported(tree: Path) -> None:
    (tree / "schedule/lower.py").write_text('a = 1\nif part.kind == "fancy_module":\n    a = "fancy"\n')
    (tree / "sim/engine.py").write_text('a = f(pu.bus, "bus")\nif kind in ("bus", "other"):\n    a = 2\n')
    (tree / "parts/adc.py").write_text('KIND = "fancy_module"\n')
    assert literals_of({"fancy_module", "bus"}, tree) == [
        "schedule/lower.py:2: names the kind 'fancy_module'",
        "sim/engine.py:2: names the kind 'bus'",
    ]


def modules_after(*arguments: str) -> set[str]:
    """The modules that a Python process has loaded at its end."""
    run = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE.parent)},
    )
    return {line.rsplit("|", 1)[1].strip() for line in run.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize(
    "arguments",
    [
        ("-c", "import archsim"),
        ("-m", "archsim", "--help"),
        ("-m", "archsim", "--version"),
        ("-m", "archsim", "simulate", "--help"),
    ],
)
def test_start_up_is_light(arguments: tuple[str, ...]) -> None:
    loaded = modules_after(*arguments)
    assert "archsim" in loaded
    assert loaded.isdisjoint(LIGHT_START)


def test_no_module_has_the_name_of_a_verb() -> None:
    """Importing ``archsim.simulate`` would put the module in the place of the function."""
    modules = {entry.stem for entry in SOURCE.iterdir() if not entry.name.startswith("_")}
    assert modules.isdisjoint(archsim.__all__)


def test_each_verb_of_the_api_is_there() -> None:
    for name in archsim.__all__:
        assert getattr(archsim, name) is getattr(archsim, name)
        assert name in dir(archsim)
    assert callable(archsim.simulate)


def test_an_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'archsim' has no attribute 'simulat'"):
        archsim.simulat  # noqa: B018
