"""Write docs/reproduction.md and its pictures: python tools/write_reproduction.py (about a minute)"""

import os
from collections.abc import Iterator, Mapping

from pages import ROOT

from archsim.report.reproduction import Study, group_markdown, study_text
from archsim.reproduce.papers import PAPERS
from archsim.reproduce.study import make_study

PAGE = ROOT / "docs" / "reproduction.md"
FIGURES = ROOT / "docs" / "figures"
PREFIX = "reproduction_"

_HEAD = """\
<!-- Written by tools/write_reproduction.py (make docs). -->

# Reproduction: what papers compare, beside what archsim gives

`archsim reproduce PAPER` simulates the comparisons of a paper and sets each figure beside the published one,
with the place in the paper and the reason where they differ. `--out DIR` writes the tables (Markdown, CSV,
JSON) and pictures of this page, `--only GROUP` runs one section of it. `hyflexpim` takes about half a minute
on two cores, `isaac` no time:

```console
$ archsim reproduce isaac
{table}...
```

- *published*: what the paper prints, *up to* where it prints the largest of several; a dash where it gives no
  number, and the row is a finding. The figures stand in `archsim/reproduce/published/`, one file a paper, to
  which more can be added.
- *simulated*: with the presets of `hwconfigs/` as they are. Nothing was tuned towards a published number:
  parameters have sources, or are assumptions with a reason; `archsim describe` lists them.
- Numbers in the reasons are measured in the same run, or are arithmetic on what papers print.
- *Energies* are of one inference, with leakage at the rate that the busiest part allows. *Throughput* is that
  of streams that were played, except for sums on the PU's bus; *scaling* is the rate that the busiest part
  allows, which streams that were played reach within 1.5 %.
- What HyFlexPIM's paper calls non-PIM is known by one sentence: INT8 dot-product units, SRAM and 6.28 GB of
  DRAM. All else in that preset is a reasoned assumption, and so is much of SPRINT's and NMP's.
- Whether a printed figure is of ASADI or of ASADI-INT8 cannot be told from the abstract, whose 1.86 x and
  1.45 x are over "state-of-the-art" machines: they are compared with ASADI-INT8, which is the nearer one.

In short, for HyFlexPIM:

1. The throughput over ASADI-INT8 comes out if copies are counted in cells, and vanishes with whole arrays, or
   with partial sums on the PU's bus.
2. In linear layers it beats processors by less than the paper says, unless these fetch their weights far more
   often than their SRAM makes them, or from a DRAM that takes nine times the energy.
3. End to end, the ratios over processors do not follow from the paper's own Table 2: a product in its digital
   modules costs more than ten times what a processor spends, and attention grows with the square of the
   length.
4. More PUs on a chip make it slower, since they share one bus for their partial sums.

ISAAC's table gives its peaks within 1 %. The paper contradicts itself by as much.
"""

_LINES = 11


def studies(*, jobs: int, draw: bool) -> dict[str, Study]:
    """All papers' comparisons."""
    folder = ROOT / "hwconfigs"
    return {
        paper: make_study(paper, groups, folder, jobs=jobs, draw=draw) for paper, groups in PAPERS.items()
    }


def page(found: Mapping[str, Study]) -> str:
    """The page."""
    table = "".join(study_text(found["isaac"]).splitlines(keepends=True)[:_LINES])
    head = _HEAD.replace("{table}", table)
    return "\n\n".join([head.rstrip(), *_blocks(found)]) + "\n"


def _blocks(found: Mapping[str, Study]) -> Iterator[str]:
    for paper, study in found.items():
        yield f"## {study.paper}"
        for group, title in study.titles.items():
            yield f"### {title}"
            yield f"`archsim reproduce {paper} --only {group}`"
            yield from group_markdown(study, group, f"figures/{PREFIX}")


def main() -> None:
    found = studies(jobs=len(os.sched_getaffinity(0)), draw=True)
    PAGE.write_text(page(found), encoding="utf-8")
    for study in found.values():
        for name, picture in study.pictures.items():
            (FIGURES / f"{PREFIX}{name}").write_bytes(picture)


if __name__ == "__main__":
    main()
