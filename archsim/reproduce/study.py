"""A study: the figures of a paper beside what archsim gives for them, and the tables behind that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from archsim.errors import ArchsimError, Finding, did_you_mean
from archsim.report.reproduction import FIXED_FILES, Row, Study, Table
from archsim.reproduce.crew import Done, execute
from archsim.reproduce.published import Figure, Published, fill, load_published
from archsim.reproduce.runs import Answers, Run


@dataclass(frozen=True, slots=True)
class Measured:
    """What the runs of one group give.

    Args: values: by the id of a figure, or by a name that the texts of figures use; notes: by the id of a
        figure that has no value, why not; table: what the values are taken from.
    """

    values: Mapping[str, float]
    table: Table
    notes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """A comparison of a paper.

    Args: name: with which the ids of its figures begin; title: for people; runs: that it needs; measure:
        makes numbers of what came of them; pictures: by file name, who draws each as a PNG; presets: whose
        YAMLs are read besides those of the runs.
    """

    name: str
    title: str
    runs: Callable[[], tuple[Run, ...]]
    measure: Callable[[Answers], Measured]
    pictures: Mapping[str, Callable[[Answers], bytes]] = field(default_factory=dict)
    presets: tuple[str, ...] = ()


def make_study(
    paper: str,
    groups: Sequence[Group],
    folder: Path,
    *,
    jobs: int = 1,
    draw: bool = False,
    done: Done = lambda over, total: None,
) -> Study:
    """Run the groups of a paper's comparison and put what they give beside the paper's figures.

    Args: folder: of the presets; jobs: processes; draw: whether pictures are drawn; done: told after each
        run.
    Raises: ArchsimError: when presets are missing or broken, or data file and study differ.
    """
    published = load_published(paper)
    check_presets(folder, groups)
    answers = execute(folder, [run for group in groups for run in group.runs()], jobs, done)
    measured = {group.name: group.measure(answers) for group in groups}
    pictures = {
        name: picture(answers) for group in groups if draw for name, picture in group.pictures.items()
    }
    return Study(
        paper=published.paper,
        rows=rows_of(published, measured),
        titles={group.name: group.title for group in groups},
        tables={name: each.table for name, each in measured.items()},
        pictures=pictures,
    )


def rows_of(published: Published, measured: Mapping[str, Measured]) -> tuple[Row, ...]:
    """The figures of the groups that were measured, in the order of the data file.

    Raises: ArchsimError: when a figure was neither measured nor explained, or its text names no number.
    """
    figures = [figure for figure in published.figures if group_of(figure) in measured]
    numbers = {name: value for each in measured.values() for name, value in each.values.items()}
    notes = {name: note for each in measured.values() for name, note in each.notes.items()}
    if missing := [figure.id for figure in figures if figure.id not in numbers and figure.id not in notes]:
        raise ArchsimError(f"no run gives {', '.join(missing)}")
    return tuple(_row(figure, numbers, notes.get(figure.id, "")) for figure in figures)


def _row(figure: Figure, numbers: dict[str, float], note: str) -> Row:
    return Row(
        id=figure.id,
        group=group_of(figure),
        what=figure.what,
        unit=figure.unit,
        bound=figure.bound,
        place=figure.place,
        published=figure.published,
        simulated=numbers.get(figure.id),
        why=" ".join(filter(None, (note, fill(figure.why, numbers)))),
    )


def group_of(figure: Figure) -> str:
    """The group that a figure belongs to."""
    return figure.id.partition(".")[0]


def chosen(groups: Sequence[Group], names: Sequence[str]) -> tuple[Group, ...]:
    """The groups of these names, all of them where none is given.

    Raises: ArchsimError: for names that there are not.
    """
    known = [group.name for group in groups]
    findings = [
        Finding(f"must be one of {', '.join(known)}, not {name!r}{did_you_mean(name, known)}", path="--only")
        for name in names
        if name not in known
    ]
    if findings:
        raise ArchsimError(findings)
    return tuple(group for group in groups if not names or group.name in names)


def check_presets(folder: Path, groups: Sequence[Group]) -> None:
    """Find out before a long run that all presets are there.

    Raises: ArchsimError: that names those that are not.
    """
    needed = dict.fromkeys(
        preset for group in groups for preset in (*group.presets, *(run.preset for run in group.runs()))
    )
    missing = [f"{preset}.yaml" for preset in needed if not (folder / f"{preset}.yaml").is_file()]
    if missing:
        what = f"has no {', '.join(missing)}; --machines names the directory of the presets, hwconfigs"
        raise ArchsimError(Finding(what, str(folder)))


def file_names(groups: Sequence[Group]) -> frozenset[str]:
    """All names that files of a study of ``groups``, or of some of them, may have."""
    own = {name for group in groups for name in (f"{group.name}.csv", *group.pictures)}
    return frozenset(own.union(FIXED_FILES))
