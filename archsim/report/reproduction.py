"""Published figures beside simulated ones, as a person, a page, a spreadsheet and a program read them."""

from __future__ import annotations

import csv
import io
import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

WIDTH = 110

Table = list[dict[str, Any]]
"""Rows of plain data, all with the same keys; None where there is no value."""

FIXED_FILES = ("reproduction.md", "reproduction.json", "rows.csv")
"""The files that every study is written as, besides a CSV for each group and pictures."""

_BOUNDS = {"": "", "most": "up to "}


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a paper beside what was simulated for it.

    Args: group: that it belongs to; bound: ``most`` where the paper gives the largest of several; place: in
        the paper; published: None where the paper gives no number; simulated: None where there is none, and
        ``why`` says why; why: what makes the two differ.
    """

    id: str
    group: str
    what: str
    unit: str
    bound: str
    place: str
    published: float | None
    simulated: float | None
    why: str

    @property
    def ratio(self) -> float | None:
        """Simulated over published."""
        if self.simulated is None or not self.published:
            return None
        return self.simulated / self.published


@dataclass(frozen=True, slots=True)
class Study:
    """The figures of a paper with what was simulated, the tables behind them by group, and pictures by name.

    Args: titles: of the groups.
    """

    paper: str
    rows: tuple[Row, ...]
    titles: Mapping[str, str]
    tables: Mapping[str, Table]
    pictures: Mapping[str, bytes]


def study_text(study: Study) -> str:
    """A table, and below it why the two values of a row differ."""
    return "\n".join(_lines(study)).rstrip() + "\n"


def study_json(study: Study) -> str:
    """Rows and tables as JSON."""
    rows = [asdict(row) | {"ratio": row.ratio} for row in study.rows]
    content = {"paper": study.paper, "rows": rows, "tables": dict(study.tables)}
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def study_markdown(study: Study, pictures: str = "") -> str:
    """A page: one section a group, with its figures, reasons, table and pictures.

    Args: pictures: what stands ahead of the pictures' names in links.
    """
    blocks = [f"# {study.paper}"]
    for group, title in study.titles.items():
        blocks += [f"## {title}", *group_markdown(study, group, pictures)]
    return "\n\n".join(blocks) + "\n"


def group_markdown(study: Study, group: str, pictures: str = "") -> Iterator[str]:
    """The blocks of one group."""
    rows = [row for row in study.rows if row.group == group]
    table: Table = [
        {
            "": number,
            "what": row.what,
            "published": _published(row),
            "simulated": number_text(row.simulated),
            "unit": row.unit,
            "ratio": number_text(row.ratio),
            "place": row.place,
        }
        for number, row in enumerate(rows, 1)
    ]
    yield table_markdown(table)
    reasons = [f"- **{number}.** {row.why}" for number, row in enumerate(rows, 1) if row.why]
    if reasons:
        yield "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in reasons)
    for name in study.pictures:
        if name.startswith(group):
            yield f"![{name.removesuffix('.png').replace('_', ' ')}]({pictures}{name})"
    if study.tables[group]:
        yield table_markdown(study.tables[group])


def table_markdown(table: Table) -> str:
    """A table in Markdown; numbers stand to the right."""
    columns = list(table[0])
    right = {column for column in columns if any(isinstance(row[column], int | float) for row in table)} | {
        "published",
        "simulated",
        "ratio",
    }
    lines = [
        f"| {' | '.join(columns)} |",
        f"| {' | '.join('---:' if column in right else '---' for column in columns)} |",
    ]
    lines += [f"| {' | '.join(_cell(row[column]) for column in columns)} |" for row in table]
    return "\n".join(lines)


def rows_csv(study: Study) -> str:
    """The figures as CSV."""
    return table_csv([asdict(row) | {"ratio": row.ratio} for row in study.rows])


def table_csv(table: Table) -> str:
    """A table as CSV, a header first; what is missing is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def number_text(value: float | None) -> str:
    """A number with four digits; ``-`` where there is none."""
    if value is None:
        return "-"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _lines(study: Study) -> Iterator[str]:
    yield study.paper
    widest = max(len(row.what) for row in study.rows)
    for group, title in study.titles.items():
        rows = [row for row in study.rows if row.group == group]
        if not rows:
            continue
        yield ""
        yield f"{title:{widest}}  {'published':>12}  {'simulated':>9}  {'ratio':>6}  {'unit':10}  place"
        for row in rows:
            yield (
                f"{row.what:{widest}}  {_published(row):>12}  {number_text(row.simulated):>9}  "
                f"{number_text(row.ratio):>6}  {row.unit:10}  {row.place}"
            ).rstrip()
    if any(row.why for row in study.rows):
        yield from ("", "Why they differ:")
    for row in study.rows:
        if row.why:
            yield ""
            yield from textwrap.wrap(f"{row.what}: {row.why}", WIDTH, subsequent_indent="  ")


def _published(row: Row) -> str:
    return "-" if row.published is None else f"{_BOUNDS[row.bound]}{row.published:g}"


def _cell(value: Any) -> str:
    if value is None or isinstance(value, int | float):
        return number_text(value)
    return str(value).replace("|", "\\|")


def files_of(study: Study) -> dict[str, str | bytes]:
    """Everything that a study is written as, by file name."""
    texts = (study_markdown(study), study_json(study), rows_csv(study))
    files: dict[str, str | bytes] = dict(zip(FIXED_FILES, texts, strict=True))
    files |= {f"{group}.csv": table_csv(table) for group, table in study.tables.items() if table}
    return files | dict(study.pictures)
