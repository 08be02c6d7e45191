"""The store of a sweep: one SQLite file that loses no point and holds none twice.

Three tables. ``points`` has a row a design: its key, how it went (``ok``, ``infeasible`` or ``failed``, with
the reason), the headline numbers, and one column for each path that a sweep has varied, under the name of the
path; it is small, so that a hundred thousand points are read at once. ``results`` has the result of
each point as JSON without white space, compressed. ``requests`` says which point answers a question that was
asked before: a design may be asked for in several ways.

A point is there as a whole or not at all: each is one transaction, in a write-ahead log that survives the
death of the process at any instant.
"""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from archsim.errors import Finding, OutputError, ResultError
from archsim.explore.version import RESULT_VERSION
from archsim.results.metrics import METRICS

Status = Literal["ok", "infeasible", "failed"]

FORMAT = 1
"""The version of the tables, in SQLite's ``user_version``."""

APPLICATION = 0x61726373
"""SQLite's ``application_id`` of a store: ``arcs``."""

_TABLES = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE points (
    number INTEGER PRIMARY KEY,
    key BLOB NOT NULL UNIQUE,
    hardware TEXT NOT NULL,
    workload TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in METRICS)}
);
CREATE TABLE results (number INTEGER PRIMARY KEY, content BLOB NOT NULL);
CREATE TABLE requests (request BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
"""
_FIXED = ("number", "key", "hardware", "workload", "status", "reason", *METRICS)
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WAIT_S = 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the simulation of one point went.

    Args: key: of its content; hardware, workload: names; reason: why there is no result, '' where there is;
        content: the result's JSON, compressed; empty without one.
    """

    key: bytes
    hardware: str
    workload: str
    status: Status
    reason: str
    metrics: Mapping[str, float | None]
    content: bytes


class Store:
    """An open store; use it as a context manager, or close it.

    Args: lock: of the one process that writes; None where this one reads only.
    """

    def __init__(self, path: str, connection: sqlite3.Connection, lock: int | None) -> None:
        self.path = path
        self._connection = connection
        self._lock = lock

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __len__(self) -> int:
        return int(self._rows("SELECT count(*) FROM points")[0][0])

    def close(self) -> None:
        """Close the file; what was recorded is in it."""
        if self._lock is not None:
            with suppress(sqlite3.Error):  # while somebody reads, the log stays beside the file
                self._connection.execute("PRAGMA journal_mode = DELETE")
        self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def paths(self) -> tuple[str, ...]:
        """The dotted paths that sweeps have varied, in the order in which they came."""
        names = [row[1] for row in self._rows("PRAGMA table_info(points)")]
        return tuple(name for name in names if name not in _FIXED)

    def table(
        self, names: Sequence[str] | None = None, *, status: Status | None = "ok"
    ) -> dict[str, list[Any]]:
        """Columns of the points, in the order in which they were recorded; None where a point has no value.

        Args: names: paths, metrics, ``hardware``, ``workload``, ``status``, ``reason``; None for all of them;
            status: of the points wanted, None for all points.
        Raises: ResultError: for a column that there is not, and when the file is damaged.
        """
        known = (*self.paths, *_FIXED[2:])
        chosen = known if names is None else tuple(names)
        if missing := [name for name in chosen if name not in known]:
            what = f"there is no column {missing[0]!r}; columns are {', '.join(known)}"
            raise ResultError(Finding(what, self.path))
        where, values = ("", ()) if status is None else (" WHERE status = ?", (status,))
        columns = ", ".join(map(_quoted, chosen))
        rows = self._rows(f"SELECT {columns} FROM points{where} ORDER BY number", values)
        return {name: [row[place] for row in rows] for place, name in enumerate(chosen)}

    def find(self, request: bytes) -> tuple[int, Status] | None:
        """The number and the status of the point that answers a request, if there is one."""
        query = "SELECT number, status FROM requests JOIN points USING (number) WHERE request = ?"
        rows = self._rows(query, (request,))
        return rows[0] if rows else None

    def has(self, key: bytes) -> bool:
        """Whether the point with this content is there, and has not failed."""
        return bool(self._rows("SELECT 1 FROM points WHERE key = ? AND status != 'failed'", (key,)))

    def row(self, number: int) -> dict[str, Any]:
        """All columns of a point, by name."""
        names = (*self.paths, *_FIXED[2:])
        query = f"SELECT {', '.join(map(_quoted, names))} FROM points WHERE number = ?"
        return dict(zip(names, self._rows(query, (number,))[0], strict=True))

    def result_json(self, number: int) -> str | None:
        """The result of a point as JSON, None where it has none.

        Raises: ResultError: when it is damaged.
        """
        rows = self._rows("SELECT content FROM results WHERE number = ?", (number,))
        if not rows:
            return None
        try:
            return zlib.decompress(rows[0][0]).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise ResultError(Finding(f"the result of point {number} is damaged", self.path)) from error

    def add_paths(self, paths: Iterable[str]) -> None:
        """Make a column for each path that has none."""
        known = {*self.paths, *_FIXED}
        with self._transaction():
            for path in paths:
                if path not in known:
                    self._connection.execute(f"ALTER TABLE points ADD COLUMN {_quoted(path)}")

    def record(self, request: bytes, settings: Mapping[str, Any], outcome: Outcome) -> None:
        """Keep one point, in place of an attempt that failed.

        Args: settings: its values by path, each of which has a column.
        """
        values = {
            "hardware": outcome.hardware,
            "workload": outcome.workload,
            "status": outcome.status,
            "reason": outcome.reason,
            **outcome.metrics,
            **{path: _stored(value) for path, value in settings.items()},
        }
        names = ", ".join(map(_quoted, values))
        updates = ", ".join(f"{_quoted(name)} = excluded.{_quoted(name)}" for name in values)
        with self._transaction() as execute:
            execute(
                "DELETE FROM points WHERE status = 'failed' AND key != ? AND number = "
                "(SELECT number FROM requests WHERE request = ?)",
                (outcome.key, request),
            )
            marks = ", ".join("?" * (1 + len(values)))
            (number,) = execute(
                f"INSERT INTO points (key, {names}) VALUES ({marks}) "
                f"ON CONFLICT (key) DO UPDATE SET {updates} RETURNING number",
                (outcome.key, *values.values()),
            ).fetchone()
            if outcome.content:
                execute("INSERT OR REPLACE INTO results VALUES (?, ?)", (number, outcome.content))
            execute("INSERT OR REPLACE INTO requests VALUES (?, ?)", (request, number))

    def refer(self, request: bytes, settings: Mapping[str, Any], key: bytes) -> None:
        """Note that a request is answered by a point that is there already."""
        values = {path: _stored(value) for path, value in settings.items()}
        updates = ", ".join(f"{_quoted(path)} = ?" for path in values)
        with self._transaction() as execute:
            if values:
                execute(f"UPDATE points SET {updates} WHERE key = ?", (*values.values(), key))
            execute(
                "INSERT OR REPLACE INTO requests SELECT ?, number FROM points WHERE key = ?", (request, key)
            )

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with _explained(self.path):
            return self._connection.execute(query, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        """All of the body's changes, or none."""
        with _explained(self.path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection.execute
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


def open_store(path: str | os.PathLike[str]) -> Store:
    """The store at ``path`` for reading, also while a sweep writes to it.

    Raises: ResultError: when there is none, it is of another version, or it is damaged.
    """
    file = os.fspath(path)
    if not Path(file).is_file():
        raise ResultError(Finding("there is no such store; archsim sweep makes one", file))
    with _explained(file):
        uri = f"{Path(file).resolve().as_uri()}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=_WAIT_S)
        try:
            _check(connection, file)
        except BaseException:
            connection.close()
            raise
    return Store(file, connection, None)


def open_for_sweep(path: str | os.PathLike[str]) -> Store:
    """The store at ``path`` for one sweep, made if it is not there.

    Raises: ResultError: when it is of another version or damaged; OutputError: when it cannot be written, or
        another sweep is writing to it.
    """
    file = os.fspath(path)
    lock = _locked(file)
    try:
        with _explained(file):
            connection = sqlite3.connect(file, isolation_level=None, timeout=_WAIT_S)
            try:
                if _is_new(connection):
                    _create(connection)
                _check(connection, file)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
            except BaseException:
                connection.close()
                raise
    except BaseException:
        os.close(lock)
        raise
    return Store(file, connection, lock)


def _locked(file: str) -> int:
    """The file, opened and locked for as long as it is open: by one process at a time."""
    try:
        lock = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(Finding(f"cannot be written: {reason}", file)) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        what = "another sweep is writing to this store; wait until it ends, or name another one with --store"
        raise OutputError(Finding(what, file)) from error
    return lock


def _is_new(connection: sqlite3.Connection) -> bool:
    """Whether the file is empty: just made, or by a process that died in the next instant."""
    return (
        not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        and not (connection.execute("PRAGMA application_id").fetchone()[0])
    )


def _create(connection: sqlite3.Connection) -> None:
    """Write the tables, all in one transaction."""
    connection.executescript(
        f"BEGIN IMMEDIATE; {_TABLES} INSERT INTO about VALUES ('result version', '{RESULT_VERSION}');"
        f"PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    )


def _check(connection: sqlite3.Connection, file: str) -> None:
    """Refuse what is no store, one of another version, and one that is cut short."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION:
        raise ResultError(Finding("is not a store of archsim sweep; name another file", file))
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version != FORMAT:
        what = f"is a store of version {version}, and this archsim reads version {FORMAT}; name another file"
        raise ResultError(Finding(what, file))
    found = dict(connection.execute("SELECT name, value FROM about").fetchall())
    if found.get("result version") != RESULT_VERSION:
        what = (
            f"holds results of version {found.get('result version')!r}, and this archsim makes "
            f"{RESULT_VERSION!r}: they cannot be compared; name another file"
        )
        raise ResultError(Finding(what, file))
    connection.execute("SELECT number FROM points LIMIT 1").fetchall()


@contextmanager
def _explained(file: str) -> Iterator[None]:
    """Turn what SQLite refuses into a finding about the file."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code in _DAMAGED:
            what = f"is damaged, or no store of archsim sweep ({error}); name another file"
            raise ResultError(Finding(what, file)) from error
        raise OutputError(Finding(f"cannot be used: {error}", file)) from error


def _quoted(name: str) -> str:
    """A column's name as SQL writes it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _stored(value: Any) -> Any:
    """A value of the YAML as a column holds it: numbers and words as they are, the rest as JSON."""
    return (
        value if isinstance(value, str | float | int) and not isinstance(value, bool) else json.dumps(value)
    )
