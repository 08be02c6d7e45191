"""README.md and docs/: their examples print what they show, the links lead somewhere, the code is as told."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml

import archsim
from archsim.mapping.build import map_trace
from archsim.parts.part import Fetch, Medium, Part
from archsim.parts.registry import PART_KINDS
from archsim.schedule.lower import lower
from archsim.workload.operations import Trace

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from pages import ROOT, files, pages, run_page

ARCHITECTURE = ROOT / "docs" / "architecture.md"


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def load(name: str, file: Path) -> ModuleType:
    """A Python file as the module ``name``."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_examples_print_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    """Rewrite the pages with ``make docs`` where they do not."""
    assert run_page(read(page), page.name, tmp_path) == read(page)


def test_what_a_page_shows_is_replaced_by_what_it_prints(tmp_path: Path) -> None:
    page = """
<!-- file: machine.yaml -->
```yaml
system: 1
```
```console
$ archsim simulate missing.yaml \\
    any.trace
$ archsim trace deit_tiny
wrong
...
wrong
```
<!-- not run: no such command -->
```console
$ ls
```
```python
print(1 + 1)
```
<!-- output -->
```text
3
```
"""
    printed = run_page(page, "page.md", tmp_path).splitlines()
    assert printed[8] == "missing.yaml: no such file (did you mean 'machine.yaml'?)"
    assert printed[10:12] == ["archsim-trace 1", "..."]
    assert printed[12].startswith("classifier ")
    assert printed[14:17] == ["<!-- not run: no such command -->", "```console", "$ ls"]
    assert printed[-3:-1] == ["```text", "2"]


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def broken_links(page: Path) -> list[str]:
    """The links of a page to files and headings that do not exist."""
    prose = re.sub(r"^```.*?^```$", "", read(page), flags=re.MULTILINE | re.DOTALL)
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        if "://" in target:
            continue
        if not file.exists():
            broken.append(target)
        elif heading:
            headings = re.findall(r"^#+ (.*)$", read(file), flags=re.MULTILINE)
            broken += [target] * (heading not in map(anchor, headings))
    return broken


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page) == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A b, c\n[1](#a-b-c) [2](#a-b) [3](page.md#a-b-c) [4](other.md) [5](https://example.com)\n"
    )
    assert broken_links(page) == ["#a-b", "other.md"]


def test_every_page_is_in_the_index() -> None:
    linked = set(re.findall(r"\]\((\w+\.md)\)", read(ROOT / "docs" / "index.md")))
    assert {page.name for page in pages()} - linked == {"README.md", "index.md"}


def table(page: Path, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with ``first``, row by row, without the header."""
    lines = read(page).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first} |"))
    rows: list[list[str]] = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            return rows
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def test_the_arrows_are_those_that_are_checked() -> None:
    checked = load("checked_architecture", Path(__file__).parent / "test_architecture.py").ARROWS
    told = {
        package.strip("`"): tuple(re.findall(r"`([\w.]+)`", imports))
        for package, _, imports in table(ARCHITECTURE, "package")
    }
    assert told == checked


def test_the_interfaces_are_as_told() -> None:
    tables = read(ARCHITECTURE).split("| member | it says | asked by |")[1:]
    told = [re.findall(r"^\| `(\w+)` \|", text.split("\n\n")[0], flags=re.MULTILINE) for text in tables]
    interfaces = (Part, Medium, Fetch)
    in_code = [[name for name in vars(interface) if not name.startswith("_")] for interface in interfaces]
    assert told == in_code


# docs/architecture.md, "Add a new kind of part": with the file that it shows and a line of the registry, a
# machine can be built of the new kind.


@pytest.fixture
def dot_product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put the kind into the registry; the machine that the page describes."""
    shown = files(read(ARCHITECTURE))
    source = tmp_path / "parts" / "dot_product.py"
    source.parent.mkdir()
    source.write_text(shown["dot_product.py"], encoding="utf-8")
    monkeypatch.setitem(sys.modules, "archsim.parts.dot_product", ModuleType("undone at the end of the test"))
    kind = load("archsim.parts.dot_product", source)
    monkeypatch.setitem(PART_KINDS, "dot_product", kind.DotProductModel)
    machine = yaml.safe_load(read(ROOT / "hwconfigs" / "hyflexpim.yaml"))
    changes = yaml.safe_load(shown["dot_product.yaml"])
    del machine["pu"]["parts"]["analog"], machine["mapping"]["slc_rate"]
    del machine["mapping"]["sources"]["slc_rate"]
    machine["pu"]["parts"] |= changes["pu"]["parts"]
    machine["mapping"] |= changes["mapping"]
    file = tmp_path / "machine.yaml"
    file.write_text(yaml.safe_dump(machine), encoding="utf-8")
    return file


def test_the_new_kind_imports_what_a_kind_may(dot_product: Path) -> None:
    checked = load("checked_architecture", Path(__file__).parent / "test_architecture.py")
    assert checked.violations(dot_product.parent) == []


def minilm() -> Trace:
    return archsim.generate_trace("minilm", tokens=4, head=False)


def test_the_new_kind_runs(dot_product: Path) -> None:
    machine = archsim.load_hardware(dot_product, {"mapping.svd": "none", "mapping.replication": "whole"})
    result = archsim.simulate(machine, minilm())
    # 6 layers of 12 x 384 x 384 weights for 4 tokens, at 0.2 pJ a product and 0.5 pJ a weight
    macs = 4 * 6 * 12 * 384 * 384
    assert result.energy_pj["by_component"]["weights.mac"] == pytest.approx(macs * 0.2)
    assert result.energy_pj["by_component"]["weights.sram"] == pytest.approx(macs * 0.5)
    # 512 banks of 0.06 mm2 in each of 24 PUs
    area = result.area_mm2["by_component"]
    assert area["weights.mac"] + area["weights.sram"] == pytest.approx(512 * 24 * 0.06)
    assert result.mapping["parts"]["weights"]["unit"] == "banks"


def test_the_new_kind_takes_the_cycles_that_the_page_derives(dot_product: Path) -> None:
    settings = {"mapping.svd": "none", "mapping.replication": "none", "mapping.tensor_parallel": 1}
    machine = archsim.load_hardware(dot_product, settings)
    graph = lower(machine, minilm(), map_trace(machine, minilm()))
    names = [resource.name for resource in graph.resources]
    tasks = graph.resource == names.index("chip0.pu0.weights.l0.q")
    assert graph.occupancy[tasks].tolist() == [461] * 4
    # and 8 for the pipeline
    assert graph.latency[tasks].tolist() == [469] * 4


def test_the_new_kind_is_held_to_its_limits(dot_product: Path, tmp_path: Path) -> None:
    with pytest.raises(archsim.ArchsimError, match=r"bank_byte: unknown key.*did you mean 'bank_bytes'"):
        broken = tmp_path / "broken.yaml"
        broken.write_text(read(dot_product).replace("bank_bytes", "bank_byte"))
        archsim.load_hardware(broken)
    with pytest.raises(archsim.ArchsimError, match=r"the part 'weights' \(dot_product\) has no SLC mode"):
        archsim.load_hardware(dot_product, {"mapping.slc_rate": 0.5})
    machine = archsim.load_hardware(dot_product, {"mapping.attention": "weights"})
    with pytest.raises(archsim.ArchsimError, match="hold static weights, and 'attention_scores' has none"):
        archsim.simulate(machine, minilm())
