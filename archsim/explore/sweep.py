"""Sweeps: many designs simulated side by side, and what came of them."""

from __future__ import annotations

import csv
import importlib
import io
import itertools
import json
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from archsim.errors import ArchsimError, SpaceError
from archsim.explore.executor import Executor, Point, Progress, Tell
from archsim.explore.objectives import parse_objectives
from archsim.explore.pareto import pareto_set
from archsim.explore.space import Sampling, Space, combined, read_space, sample
from archsim.explore.space_file import read_space_file
from archsim.explore.store import Store, open_for_sweep, open_store
from archsim.explore.structure import structure
from archsim.explore.subject import Subject, check_space, read_subject
from archsim.results.metrics import METRICS
from archsim.results.output import fresh_file
from archsim.results.read import parse_result
from archsim.results.record import Result
from archsim.workload.operations import Trace

MOST_UNASKED = 10_000
"""More points than this need a word from the user: half an hour, or half a day."""

MOST_JOBS = 1024
"""More processes than this are a typing slip."""

RUN = 16
"""Points of one graph that a worker takes up at a time."""


class Sweep:
    """The points of a sweep, in the order of its space; the results are in its store.

    ``rows`` are plain dictionaries: the values by path, ``status``, ``reason``, and the metrics, each None
    where a point has none.
    """

    def __init__(
        self, subject: Subject, space: Space, chosen: Sequence[int], store_file: str, progress: Progress
    ) -> None:
        self.subject = subject
        self.space = space
        self.store_file = store_file
        self.progress = progress
        self._chosen = chosen
        self._store: Store | None = None

    def __len__(self) -> int:
        return len(self._chosen)

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths that are varied."""
        return tuple(axis.path for axis in self.space.axes)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All points."""
        return list(self.each_row())

    def each_row(self) -> Iterator[dict[str, Any]]:
        """The points one by one, for sweeps that are too large for memory."""
        for place in range(len(self)):
            settings, number = self._found(place)
            row = self._open().row(number)
            yield settings | {name: row[name] for name in ("status", "reason", *METRICS)}

    def result(self, place: int) -> Result:
        """The whole result of the point at ``place`` of ``rows``.

        Raises: SpaceError: when it has none; says why not.
        """
        settings, number = self._found(place)
        text = self._open().result_json(number)
        if text is None:
            row = self._open().row(number)
            asked = ", ".join(f"{path}={value}" for path, value in settings.items())
            raise SpaceError(f"the point {asked} is {row['status']} and has no result: {row['reason']}")
        return parse_result(text, self.store_file)

    def pareto(self, objectives: str | Sequence[str]) -> list[int]:
        """The places of the points in the Pareto set, the best by the first objective first.

        Args: objectives: such as ``energy,latency,max:tops_per_w``.
        Raises: SpaceError: for an objective that there is not.
        """
        return pareto_set(self.rows, parse_objectives(objectives, self.paths))

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write all points as a table.

        Raises: OutputError: when the file cannot be written.
        """
        with fresh_file(os.fspath(path)) as file:
            text = io.TextIOWrapper(file, "utf-8", newline="")
            writer = csv.DictWriter(text, [*self.paths, "status", "reason", *METRICS], lineterminator="\n")
            writer.writeheader()
            for row in self.each_row():
                writer.writerow({name: _cell(value) for name, value in row.items()})
            text.detach()  # flushes, and leaves the file to fresh_file

    def to_json(self) -> str:
        """All points as a JSON list."""
        return json.dumps(self.rows, indent=2, ensure_ascii=False, allow_nan=False)

    def to_dataframe(self) -> Any:
        """All points as a pandas DataFrame.

        Raises: ArchsimError: where pandas is not installed.
        """
        try:
            pandas = importlib.import_module("pandas")
        except ImportError as error:
            what = "pandas is not installed: pip install 'archsim[pandas]', or take .rows or .to_csv()"
            raise ArchsimError(what) from error
        return pandas.DataFrame(self.rows, columns=[*self.paths, "status", "reason", *METRICS])

    def _found(self, place: int) -> tuple[dict[str, Any], int]:
        """The settings of a point and its number in the store."""
        settings = self.space.settings(self._chosen[place])
        found = self._open().find(self.subject.request(settings))
        if found is None:
            raise SpaceError(f"point {place} is not in {self.store_file}: the store was replaced")
        return settings, found[0]

    def _open(self) -> Store:
        if self._store is None:
            self._store = open_store(self.store_file)
        return self._store


def sweep(
    hardware: str | os.PathLike[str],
    trace: str | os.PathLike[str] | Trace,
    space: Space | Sequence[str] | Mapping[str, Any] | str | os.PathLike[str],
    *,
    sampling: Sampling = "grid",
    points: int | None = None,
    seed: int = 0,
    jobs: int | None = None,
    store: str | os.PathLike[str] | None = None,
    stream: bool = True,
    many: bool = False,
    tell: Tell | None = None,
) -> Sweep:
    """Simulate ``trace`` on many variants of a machine.

    Args: hardware: a YAML file; space: values by path (``{"mapping.slc_rate": [0, 0.1]}``, or texts such as
        ``"0:0.3:0.05"``), texts as ``--set`` takes them, the name of a space.yaml, or a Space; sampling,
        points, seed: see ``space.sample``; jobs: processes, None for as many as there are cores; store: a
        file that keeps every point, also for the next sweep, None for one that goes with the returned sweep;
        stream: as of ``simulate``; many: whether more than MOST_UNASKED points are meant; tell: is told how
        far the sweep is.
    Raises: ArchsimError: for inputs that are wrong, before anything runs; a point that is not feasible is a
        row.
    """
    if jobs is not None and not 1 <= jobs <= MOST_JOBS:
        raise SpaceError(f"--jobs: must be from 1 to {MOST_JOBS}, not {jobs}")
    subject = read_subject(hardware, trace, stream=stream)
    full = combined(_as_space(space))
    check_space(subject, full)
    chosen = sample(full, sampling, points, seed)
    if len(chosen) > MOST_UNASKED and not many:
        raise SpaceError(_too_many(full, len(chosen)))
    file, own = _store_file(store)
    progress = Progress(len(chosen))
    with open_for_sweep(file) as opened:
        opened.add_paths(axis.path for axis in full.axes)
        executor = Executor(subject, opened, progress, tell or (lambda *_: None))
        executor.run(_runs(subject, full, chosen), jobs or len(os.sched_getaffinity(0)))
    done = Sweep(subject, full, chosen, file, progress)
    if own is not None:
        weakref.finalize(done, shutil.rmtree, own, ignore_errors=True)
    return done


def _as_space(space: Space | Sequence[str] | Mapping[str, Any] | str | os.PathLike[str]) -> Space:
    """A space, whatever way it is given in."""
    if isinstance(space, Space):
        return space
    if isinstance(space, str | os.PathLike):
        return read_space_file(space)
    return read_space(space)


def _too_many(space: Space, count: int) -> str:
    """What is said about a sweep that is perhaps larger than was meant."""
    shape = " x ".join(str(length) for length in space.lengths if length > 1)
    return (
        f"{count:,} points ({shape}) are more than {MOST_UNASKED:,}: take fewer values, or --sample latin "
        "--points N, or say --yes if all are meant"
    )


def _store_file(store: str | os.PathLike[str] | None) -> tuple[str, str | None]:
    """The store's file, and the directory made for it if nobody named one."""
    if store is not None:
        return os.fspath(store), None
    own = tempfile.mkdtemp(prefix="archsim-sweep-")
    return str(Path(own, "sweep.db")), own


def _runs(subject: Subject, space: Space, chosen: Sequence[int]) -> Iterator[list[Point]]:
    """The chosen points in runs whose schedules are alike, so that a worker finds one and prices many.

    Factors that change costs only run fastest.
    """
    fast = [number for number in range(len(space.factors)) if _costs_only(subject, space, number)]
    order = [number for number in range(len(space.factors)) if number not in fast] + fast
    ordered = Space(tuple(space.factors[number] for number in order))
    alike = Space(tuple(space.factors[number] for number in fast)).size
    numbers: Sequence[int] = chosen
    if not isinstance(chosen, range):
        digits = map(space.digits, chosen)
        numbers = sorted(ordered.number([digit[number] for number in order]) for digit in digits)
    for _, run in itertools.groupby(numbers, key=lambda number: (number // alike, number % alike // RUN)):
        yield [
            Point(number, settings := ordered.settings(number), subject.request(settings)) for number in run
        ]


def _costs_only(subject: Subject, space: Space, number: int) -> bool:
    """Whether the first and the last value of a factor have the same schedule; the order hangs on it only."""
    ends = []
    for digit in (0, -1):
        settings = {axis.path: axis.values[digit] for axis in space.factors[number]}
        try:
            ends.append((structure(subject.machine(settings).model), subject.workload(settings).phases))
        except ArchsimError:
            return False
    return ends[0] == ends[1]


def _cell(value: Any) -> Any:
    """A value as a cell of a CSV file: lists and truth values as JSON."""
    return json.dumps(value) if isinstance(value, bool | list) else value
