"""The page docs/validation.md."""

from __future__ import annotations

from collections.abc import Sequence

from validation.fact import Fact, Section
from validation.machine_facts import ANALOG, DIGITAL, TABLE_2, TRANSFERS
from validation.workload_facts import CHIP_BUS, HYBRID, MODELS, PU_BUS

INTRO = """\
<!-- Written by tools/write_validation.py (make docs). -->

# Validation: the HyFlexPIM paper, fact by fact

Each row is one quantity: what the paper prints, or what follows from what it prints, beside what archsim
gives for `hwconfigs/hyflexpim.yaml`. Paper: Song, Bhatnagar, Xia, Kim, Rosing, Kang, "Hybrid SLC-MLC RRAM
Mixed-Signal Processing-in-Memory Architecture for Transformer Acceleration via Gradient Redistribution",
ISCA 2025, arXiv 2506.00020.

- *where*: the place in the paper; *derived* is arithmetic on what it prints. A row without a value of the
  paper is a finding of archsim.
- *agrees*: archsim's value, rounded as the paper's is, is the paper's. Where it says **no**, the last column
  says why.
- Nothing was tuned towards a number on this page. What the paper leaves open is an assumption of the YAML,
  with its reason; `archsim describe hwconfigs/hyflexpim.yaml` lists them.
- *Cycles a token* are those for which a token holds the busiest part: no stream is faster. `archsim simulate`
  plays a stream and gives `throughput.interval_ns`, of an inference of 128 tokens: it settles within 0.3 % of
  that in all rows of F, G and H that were played.

Behind each table stands the expression for archsim's value in each row. To evaluate one, in `tools/`:

```sh
../.venv/bin/python -c "from validation.measure import *; print(area_mm2('analog'))"
```

The capitals are overrides: `interval(graph('bert_large', SLC, NO_SVD, WHOLE))` is the interval of
`archsim simulate hwconfigs/hyflexpim.yaml workloads/bert_large.trace --set mapping.slc_rate=1
--set mapping.svd=none --set mapping.replication=whole`.

Not on this page: accuracy under noise; comparisons with other machines; whatever the paper does not give
(write time and energy, leakage, energy of buses and links)."""

SECTIONS = (TABLE_2, ANALOG, DIGITAL, TRANSFERS, MODELS, HYBRID, PU_BUS, CHIP_BUS)


def page(sections: Sequence[Section] = SECTIONS) -> str:
    """The whole page as markdown."""
    return "\n\n".join([INTRO, _summary(sections), *(_section(section) for section in sections)]) + "\n"


def _summary(sections: Sequence[Section]) -> str:
    rows = [row for section in sections for row in section.rows]
    agreeing = sum(fact.agrees is True for _, fact in rows)
    differing = [label for label, fact in rows if fact.agrees is False]
    findings = len(rows) - agreeing - len(differing)
    return (
        f"Of {agreeing + len(differing)} numbers of the paper {agreeing} agree and {len(differing)} differ "
        f"({', '.join(differing)}). {findings} rows are findings."
    )


def _section(section: Section) -> str:
    return "\n".join(
        [
            f"## {section.letter}. {section.title}",
            "",
            section.text,
            "",
            "| row | what | where | paper | archsim | unit | agrees | reason, or what it means |",
            "| --- | --- | --- | ---: | ---: | --- | --- | --- |",
            *(_row(label, fact) for label, fact in section.rows),
            "",
            "```text",
            *(f"{label:<4} {fact.expression}" for label, fact in section.rows),
            "```",
        ]
    )


def _row(label: str, fact: Fact) -> str:
    agrees = {None: "", True: "yes", False: "**no**"}[fact.agrees]
    cells = (label, fact.what, fact.place, fact.paper, fact.shown, fact.unit, agrees, fact.reason)
    return f"| {' | '.join(cells)} |"
