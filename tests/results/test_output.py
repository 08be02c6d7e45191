"""Output appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from archsim.errors import OutputError
from archsim.results.output import check_directory, check_file, fresh_file, write_directory, write_file

FILES = {"result.json": '{"a": "µ"}\n'}


def listing(path: Path) -> dict[str, bytes | None]:
    """Everything below ``path``: a file's bytes, None for a directory."""
    return {
        str(entry.relative_to(path)): entry.read_bytes() if entry.is_file() else None
        for entry in sorted(path.rglob("*"))
    }


def interrupted(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_new_directory_with_its_parents(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    check_directory(target)
    assert listing(tmp_path) == {}
    write_directory(target, FILES)
    assert listing(tmp_path) == {"a": None, "a/b": None, "a/b/result.json": '{"a": "µ"}\n'.encode()}


def test_overwrite_replaces_all_of_an_earlier_result(tmp_path: Path) -> None:
    target = tmp_path / "out"
    write_directory(target, FILES)
    check_directory(target, overwrite=True)
    write_directory(target, {"result.json": b"new"}, overwrite=True)
    assert listing(tmp_path) == {"out": None, "out/result.json": b"new"}


def test_an_empty_directory_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_directory(tmp_path / "out", FILES, overwrite=True)
    assert set(listing(tmp_path)) == {"out", "out/result.json"}


def test_a_link_to_a_directory_stays_a_link(tmp_path: Path) -> None:
    write_directory(tmp_path / "real", FILES)
    (tmp_path / "link").symlink_to("real")
    write_directory(tmp_path / "link", {"result.json": "new"}, overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/result.json").read_text() == "new"


def test_new_files_have_the_usual_permissions(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_directory(tmp_path / "out", FILES)
    finally:
        os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out/result.json").stat().st_mode & 0o777 == 0o644


def existing(path: Path) -> Path:
    write_directory(path / "out", FILES)
    return path / "out"


def a_file(path: Path) -> Path:
    (path / "out").write_text("mine")
    return path / "out"


def a_foreign_file(path: Path) -> Path:
    (existing(path) / "notes.txt").write_text("mine")
    return path / "out"


def two_foreign_files(path: Path) -> Path:
    (a_foreign_file(path) / "thesis.tex").write_text("mine")
    return path / "out"


def a_directory_named_as_ours(path: Path) -> Path:
    (path / "out/result.json").mkdir(parents=True)
    return path / "out"


def below_a_file(path: Path) -> Path:
    return a_file(path) / "sub"


def too_long(path: Path) -> Path:
    return path / ("x" * 300)


@pytest.mark.parametrize(
    ("place", "overwrite", "message"),
    [
        (existing, False, "exists; replace it with --overwrite, or name another one"),
        (a_file, True, "exists and is not a directory; name another one"),
        (a_foreign_file, True, "exists and holds what archsim did not write (notes.txt); name another one"),
        (
            two_foreign_files,
            True,
            "exists and holds what archsim did not write (notes.txt and 1 more); name another one",
        ),
        (
            a_directory_named_as_ours,
            True,
            "exists and holds what archsim did not write (result.json); name another one",
        ),
        (below_a_file, False, "cannot be written: {parent} is not a directory"),
        (too_long, False, "cannot be written: file name too long"),
        (lambda _: Path("/"), True, "is where a file system is mounted; name a directory inside it"),
    ],
)
def test_a_place_that_cannot_be_written(
    tmp_path: Path, place: Callable[[Path], Path], overwrite: bool, message: str
) -> None:
    target = place(tmp_path)
    message = message.replace("{parent}", str(target.parent))
    before = listing(tmp_path)
    with pytest.raises(OutputError) as early:
        check_directory(target, overwrite)
    with pytest.raises(OutputError) as late:
        write_directory(target, FILES, overwrite)
    assert [str(early.value), str(late.value)] == [f"{target}: {message}"] * 2
    assert listing(tmp_path) == before


def test_a_parent_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(OutputError) as error:
        check_directory(tmp_path / "out")
    assert str(error.value) == f"{tmp_path}/out: cannot be written: permission denied"


def test_an_empty_name() -> None:
    with pytest.raises(OutputError, match=r"^the name of the output is empty$"):
        check_directory("")
    with pytest.raises(OutputError, match=r"^the name of the output is empty$"):
        write_file("", "x")


@pytest.mark.parametrize("step", ["_write", "_replace_directory"])
def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    monkeypatch.setattr(f"archsim.results.output.{step}", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_directory(tmp_path / "a/out", FILES)
    assert listing(tmp_path) == {}


def test_an_interrupt_between_the_renames_brings_the_old_result_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_directory(tmp_path / "out", FILES)
    before = listing(tmp_path)
    rename = Path.rename
    calls: list[Path] = []

    def second_fails(self: Path, target: Path) -> Path:
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", second_fails)
    with pytest.raises(KeyboardInterrupt):
        write_directory(tmp_path / "out", {"result.json": "new"}, overwrite=True)
    assert len(calls) == 3
    assert listing(tmp_path) == before


def test_a_file_is_written_and_replaced_with_its_parents(tmp_path: Path) -> None:
    write_file(tmp_path / "a/b.trace", "one")
    write_file(tmp_path / "a/b.trace", b"two")
    assert listing(tmp_path) == {"a": None, "a/b.trace": b"two"}


def test_a_file_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError) as error:
        write_file(tmp_path, "x")
    assert str(error.value) == f"{tmp_path}: cannot be written: is a directory"
    monkeypatch.setattr("archsim.results.output._write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_file(tmp_path / "a/b.trace", "x")
    assert listing(tmp_path) == {}


def test_a_device_is_written_to_and_not_replaced() -> None:
    write_file("/dev/null", "x")
    assert not Path("/dev/null").is_file()


def test_a_fresh_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    with fresh_file(tmp_path / "a/t.json") as file:
        file.write(b"one ")
        file.write(b"two")
        assert not (tmp_path / "a/t.json").exists()
    assert listing(tmp_path) == {"a": None, "a/t.json": b"one two"}


def test_a_fresh_file_that_is_not_finished_leaves_what_was_there(tmp_path: Path) -> None:
    write_file(tmp_path / "t.json", "old")
    with pytest.raises(KeyboardInterrupt), fresh_file(tmp_path / "t.json") as file:
        file.write(b"new")
        raise KeyboardInterrupt
    assert listing(tmp_path) == {"t.json": b"old"}


def test_a_file_is_checked_without_a_trace(tmp_path: Path) -> None:
    write_file(tmp_path / "t.json", "old")
    for place in ("t.json", "new.json", "a/b/new.json"):
        check_file(tmp_path / place)
    check_file("/dev/null")
    assert listing(tmp_path) == {"t.json": b"old"}
    for place, reason in (("", "is a directory"), ("t.json/a", f"{tmp_path}/t.json is not a directory")):
        with pytest.raises(OutputError) as error:
            check_file(f"{tmp_path}/{place}")
        assert str(error.value) == f"{tmp_path}/{place}: cannot be written: {reason}"
