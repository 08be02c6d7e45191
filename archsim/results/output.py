"""Output that appears whole or not at all: written under another name beside its place, then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from archsim.errors import Finding, OutputError

RESULT_FILES = frozenset({"result.json", "energy.png", "area.png", "utilisation.png", "pipeline.png"})
"""The names that the directory of one simulation may hold."""


def check_directory(path: str | Path, overwrite: bool = False, ours: frozenset[str] = RESULT_FILES) -> None:
    """Find out before a long run whether ``write_directory`` will be able to write its result.

    Args: ours: the names that the directory may hold: one with any other file in it is never replaced.
    Raises: OutputError: when it is there already, cannot be replaced, or cannot be written.
    """
    with _os_errors(path):
        _check_place(path, overwrite, ours)
        probe = _beside(_nearest_parent(path) / "probe")
        probe.mkdir()
        probe.rmdir()


def write_directory(
    path: str | Path,
    files: Mapping[str, str | bytes],
    overwrite: bool = False,
    ours: frozenset[str] = RESULT_FILES,
) -> None:
    """Make the directory ``path`` of ``files``, and its parents; one that is replaced goes last.

    Args: files: contents by name, each one of ``ours``; ours: as of ``check_directory``.
    Raises: OutputError: see ``check_directory``; the place is then as it was before.
    """
    with _os_errors(path):
        _check_place(path, overwrite, ours)
        target = _real(path)
        with _made_parents(target):
            fresh = _beside(target)
            try:
                fresh.mkdir()
                for name, content in files.items():
                    with (fresh / name).open("wb") as file:
                        _write(file, content)
                _replace_directory(fresh, target, ours)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)


def check_file(path: str | Path) -> None:
    """Find out before a long run whether ``fresh_file`` will be able to write.

    Raises: OutputError: when it cannot be written.
    """
    with _os_errors(path):
        target = _real(path)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not target.exists() or target.is_file():
            probe = _beside(_nearest_parent(path) / "probe")
            probe.touch()
            probe.unlink()


def write_file(path: str | Path, content: str | bytes) -> None:
    """Write one file, in place of one that is there; what is no regular file, such as a pipe, is written to.

    Raises: OutputError: when it cannot be written; the place is then as it was before.
    """
    with fresh_file(path) as file:
        _write(file, content)


@contextmanager
def fresh_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file to write to piece by piece, which appears in its place when the body ends and not before.

    Raises: OutputError: as ``write_file``, also for what the operating system refuses in the body.
    """
    with _os_errors(path):
        target = _real(path)
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        _nearest_parent(path)
        with _made_parents(target):
            fresh = _beside(target)
            try:
                with fresh.open("wb") as file:
                    yield file
                fresh.replace(target)
            finally:
                fresh.unlink(missing_ok=True)


def _check_place(path: str | Path, overwrite: bool, ours: frozenset[str]) -> None:
    """Refuse a place that is taken by anything but a result that may be replaced."""
    target = _real(path)
    if not target.exists():
        _nearest_parent(path)
        return
    if not target.is_dir():
        raise OutputError(Finding("exists and is not a directory; name another one", str(path)))
    if target.is_mount():
        raise OutputError(Finding("is where a file system is mounted; name a directory inside it", str(path)))
    others = sorted(entry.name for entry in target.iterdir() if not _is_ours(entry, ours))
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        what = f"exists and holds what archsim did not write ({others[0]}{more}); name another one"
        raise OutputError(Finding(what, str(path)))
    if not overwrite:
        raise OutputError(Finding("exists; replace it with --overwrite, or name another one", str(path)))


def _nearest_parent(path: str | Path) -> Path:
    """The parent directory, or the nearest one above it that exists."""
    parent = next(parent for parent in _real(path).parents if parent.exists())
    if not parent.is_dir():
        raise OutputError(Finding(f"cannot be written: {parent} is not a directory", str(path)))
    return parent


def _is_ours(entry: Path, ours: frozenset[str]) -> bool:
    return entry.name in ours and entry.is_file()


def _replace_directory(fresh: Path, target: Path, ours: frozenset[str]) -> None:
    """Rename ``fresh`` to ``target``; what was there comes back if that fails, and is removed if not."""
    if not target.exists():
        fresh.rename(target)
        return
    old = _beside(target)
    target.rename(old)
    try:
        fresh.rename(target)
    except BaseException:
        old.rename(target)
        raise
    for entry in old.iterdir():
        if _is_ours(entry, ours):
            entry.unlink()
    old.rmdir()


@contextmanager
def _made_parents(target: Path) -> Iterator[None]:
    """Make the missing parents of ``target``; remove them again if the body fails."""
    missing = [parent for parent in target.parents if not parent.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for parent in missing:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()
        raise


@contextmanager
def _os_errors(path: str | Path) -> Iterator[None]:
    """Turn what the operating system refuses into a finding about ``path``."""
    if not str(path):
        raise OutputError("the name of the output is empty")
    try:
        yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(Finding(f"cannot be written: {reason}", str(path))) from error


def _write(file: BinaryIO, content: str | bytes) -> None:
    file.write(content.encode() if isinstance(content, str) else content)


def _real(path: str | Path) -> Path:
    """The place itself where ``path`` is a symbolic link to it."""
    return Path(os.path.realpath(path))


def _beside(target: Path) -> Path:
    """A new name in the same directory, hence on the same file system."""
    return target.parent / f".archsim-{secrets.token_hex(8)}"
