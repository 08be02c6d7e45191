"""YAML with the line of every value: a strict subset of YAML 1.2, read event by event without recursion.

Plain words are text (``on`` and ``yes`` too), but for ``true``, ``false``, ``null`` and decimal numbers;
``1e3`` is a number and ``1:30`` is not. Keys are words, taken as they are written. Anchors, aliases, tags
and several documents are refused, and so is what is nested more deeply than any hardware description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, NoReturn

import yaml
from yaml.reader import Reader

from archsim.errors import Finding, HardwareError

Path = tuple[str | int, ...]
"""Where something stands: keys, and indices of lists, from the root."""

MAX_DEPTH = 32
"""No hardware description is nested more deeply."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*")
_FLOAT = re.compile(r"[-+]?(\.[0-9][0-9_]*|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{sign + word: float(sign + "inf") for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
# int() refuses texts of thousands of digits; beyond this many, float() says infinity, as is due
_LONGEST_INTEGER = 300


@dataclass(frozen=True, slots=True)
class LocatedYaml:
    """A YAML document as plain Python values.

    Args: lines: the line of each value, that of its key where it has one; findings: what is wrong with
        the text although the rest of it can be read (keys given twice, keys that are no words).
    """

    data: Any
    lines: dict[Path, int]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not come yet.

    Args: key: whose value comes next, or None; keys: the lines of those that have come.
    """

    path: Path
    value: dict[str, Any] | list[Any]
    key: str | None = None
    keys: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class _Builder:
    """Builds values from parser events."""

    file: str
    root: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    open: list[_Open] = field(default_factory=list)

    def read(self, event: yaml.Event) -> None:
        """Take up one event."""
        self._refuse_features(event)
        if isinstance(event, yaml.ScalarEvent):
            if self._wants_key():
                self._begin_key(event)
            else:
                self._place(_scalar(event), event)
        elif isinstance(event, yaml.CollectionStartEvent):
            self._begin_collection(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self.open.pop()

    def _refuse_features(self, event: yaml.Event) -> None:
        if isinstance(event, yaml.DocumentStartEvent) and self.lines:
            self._refuse("a second document begins here; a file describes one machine", event)
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            self._refuse(
                f"anchors and aliases ({mark}{event.anchor}) are not supported: repeat the value", event
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            short = shorten(tag.replace("tag:yaml.org,2002:", "!!"))[1:-1]
            self._refuse(f"tags ({short}) are not supported: write the plain value", event)

    def _begin_collection(self, event: yaml.CollectionStartEvent) -> None:
        kind = "mapping" if isinstance(event, yaml.MappingStartEvent) else "list"
        if self._wants_key():
            self._refuse(f"a key must be a word, not a {kind}", event)
        if len(self.open) == MAX_DEPTH:
            self._refuse(f"nested more than {MAX_DEPTH} levels deep", event)
        value: dict[str, Any] | list[Any] = {} if kind == "mapping" else []
        self.open.append(_Open(self._place(value, event), value))

    def _wants_key(self) -> bool:
        return bool(self.open) and isinstance(self.open[-1].value, dict) and self.open[-1].key is None

    def _begin_key(self, event: yaml.ScalarEvent) -> None:
        top = self.open[-1]
        top.key = event.value
        line = _line(event)
        path = (*top.path, top.key)
        if not _KEY.fullmatch(top.key):
            top.key = shorten(top.key)
            message = f"the key {top.key} must be a word of letters, digits, _ and -, beginning with a letter"
            self._note(message, top.path, line)
        elif top.key in top.keys:
            self._note(f"given twice, first in line {top.keys[top.key]}", path, line)
        else:
            top.keys[top.key] = line
            self.lines.setdefault(path, line)

    def _place(self, value: Any, event: yaml.Event) -> Path:
        """Put a value where it belongs; returns its path."""
        if not self.open:
            self.root = value
            self.lines[()] = _line(event)
            return ()
        top = self.open[-1]
        if isinstance(top.value, list):
            path = (*top.path, len(top.value))
            top.value.append(value)
            self.lines.setdefault(path, _line(event))
            return path
        assert top.key is not None
        path = (*top.path, top.key)
        if _KEY.fullmatch(top.key):
            top.value.setdefault(top.key, value)
        top.key = None
        return path

    def _note(self, message: str, path: Path, line: int) -> None:
        self.findings.append(Finding(message, self.file, line, dotted(path)))

    def _refuse(self, message: str, event: yaml.Event) -> NoReturn:
        path = dotted(self.open[-1].path) if 0 < len(self.open) < MAX_DEPTH else ""
        raise HardwareError([*self.findings, Finding(message, self.file, _line(event), path)])


def read_yaml(text: str, file: str) -> LocatedYaml:
    """The one document in ``text``.

    Args: file: as findings name it.
    Raises: HardwareError: where it is not YAML, or uses what the module's first lines refuse.
    """
    stray = Reader.NON_PRINTABLE.search(text)
    if stray:
        line = text.count("\n", 0, stray.start()) + 1
        raise HardwareError(Finding(f"not a text: it has the character U+{ord(stray[0]):04X}", file, line))
    builder = _Builder(file)
    try:
        # neither the pure Python parser nor libyaml recurses for events
        for event in yaml.parse(text, Loader=_LOADER):
            builder.read(event)
    except yaml.YAMLError as error:
        raise HardwareError([*builder.findings, _syntax_error(error, text, file)]) from None
    return LocatedYaml(builder.root, builder.lines, tuple(builder.findings))


def dotted(path: Path) -> str:
    """A path as a person writes it, such as ``pu.parts.analog.count``."""
    return ".".join(str(step) for step in path)


def shorten(text: str) -> str:
    """A text in quotes, on one line, and no longer than a message can bear."""
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _line(event: yaml.Event) -> int:
    """The line that an event begins in, counted from 1."""
    return event.start_mark.line + 1 if event.start_mark else 1


def _syntax_error(error: yaml.YAMLError, text: str, file: str) -> Finding:
    """A parser's complaint on one line; one at the end of the text is placed in its last line."""
    mark = getattr(error, "problem_mark", None)
    last = text.rstrip().count("\n") + 1
    context = getattr(error, "context", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    message = f"not YAML: {f'{context}, ' if context else ''}{problem}"
    return Finding(message, file, min(mark.line + 1, last) if mark else None)


def _scalar(event: yaml.ScalarEvent) -> Any:
    """A scalar as text, number, truth value or None."""
    text = event.value
    quoted = not event.implicit[0]
    if quoted:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) and len(text) <= _LONGEST_INTEGER:
        return int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text
