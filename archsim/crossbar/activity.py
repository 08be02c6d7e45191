"""Measured activity: how many bits of real inputs are ones, recorded, kept in a file, and given to a machine.

A file of it is YAML, written by ``save_activity``; ``archsim simulate --activity FILE`` reads it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from archsim.cost.entry import Section
from archsim.crossbar.coding import Int64, input_planes, integer_batch
from archsim.crossbar.product import Product
from archsim.crossbar.program import Programmed
from archsim.crossbar.reads import driven_wordlines
from archsim.errors import CrossbarError, Finding, HardwareError
from archsim.hardware.findings import explain
from archsim.hardware.located_yaml import LocatedYaml, Path, dotted, read_yaml
from archsim.hardware.machine import Machine
from archsim.parts.activity import BlockCounts, MeasuredActivity, MeasuredOperation
from archsim.parts.analog_module import AnalogModule

VERSION = 1
"""Of the file; it changes when a key or its meaning does."""

MAX_BYTES = 10**8
"""No measurement is longer."""

_Counts = Annotated[int, Field(ge=0, lt=2**53)]
_AnySection = TypeVar("_AnySection", bound=Section)


class _FileSection(Section):
    """The whole file."""

    activity: int
    """The version of the format."""
    operations: Annotated[list[Any], Field(min_length=1)]
    """One entry an operation."""


class _OperationSection(Section):
    """The inputs of one operation."""

    operation: Annotated[str, Field(min_length=1)]
    """Its id, its id without the layer, its kind, or ``all``."""
    vectors: Annotated[int, Field(ge=1, lt=2**53)]
    """Inputs that were measured."""
    conversions: _Counts = 0
    """Conversions that they took."""
    saturated: _Counts = 0
    """Conversions whose sum went beyond the codes."""
    blocks: Annotated[list[Any], Field(min_length=1)]
    """One entry for each height of row blocks."""


class _BlockSection(Section):
    """Row blocks of one height."""

    rows: Annotated[int, Field(ge=1, le=65536)]
    """Rows of a block."""
    planes: Annotated[list[list[_Counts]], Field(min_length=1, max_length=64)]
    """For each bit-plane, how many blocks have 0, 1, ... ones."""


@dataclass(slots=True)
class _Record:
    """What has been seen of one operation: blocks by their rows, (planes, rows + 1) counted by ones."""

    blocks: dict[int, Int64] = field(default_factory=dict)
    vectors: int = 0
    conversions: int = 0
    saturated: int = 0


class ActivityRecorder:
    """Collects the ones of inputs to programmed matrices, a batch at a time."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}

    def record(
        self, operation: str, matrix: Programmed, inputs: NDArray[Any], product: Product | None = None
    ) -> None:
        """Count the ones of a batch.

        Args: operation: an id of the trace (``l0.ffn1``, of an SVD factor ``l0.ffn1.1``), the same without
            its layer, or ``all``; inputs: (batch, rows) integers; product: what the matrix gave for them, for
            its conversions.
        Raises: CrossbarError: when inputs do not fit the matrix, or have other planes than those before.
        """
        record = self._records.setdefault(operation, _Record())
        crossbar = matrix.crossbar
        batch = integer_batch(inputs, matrix.rows)
        for rows in _distinct_rows(matrix):
            planes = input_planes(batch[:, rows], crossbar.input_bits, crossbar.model.arithmetic)
            driven = driven_wordlines(planes, crossbar.model.array.rows)
            _count(record, operation, driven, len(rows), crossbar.model.array.rows)
        record.vectors += len(batch)
        if product is not None:
            record.conversions += product.conversions
            record.saturated += product.saturated

    def measured(self) -> MeasuredActivity:
        """All that was recorded.

        Raises: CrossbarError: when nothing was.
        """
        if not any(record.vectors for record in self._records.values()):
            raise CrossbarError("no inputs were recorded: there is no activity to tell")
        operations = {
            name: MeasuredOperation(
                {rows: BlockCounts(rows, counts) for rows, counts in sorted(record.blocks.items())},
                record.vectors,
                record.conversions,
                record.saturated,
            )
            for name, record in self._records.items()
        }
        return _measured(operations)


def save_activity(path: str | os.PathLike[str], measured: MeasuredActivity) -> None:
    """Write a measurement to a file, whole or not at all.

    Raises: CrossbarError: when it cannot be written.
    """
    file = os.fspath(path)
    part = f"{file}.part"
    try:
        with open(part, "w", encoding="utf-8") as stream:
            stream.write("# Ones in the inputs of operations, measured: see archsim simulate --activity\n")
            stream.writelines(f"{line}\n" for line in _lines(measured.operations))
        os.replace(part, file)
    except OSError as error:
        raise CrossbarError(Finding(f"cannot be written: {error.strerror}", file)) from None


def load_activity(path: str | os.PathLike[str]) -> MeasuredActivity:
    """The measurement in a file.

    Raises: CrossbarError: with everything that is wrong with the file, each finding with its line.
    """
    file = os.fspath(path)
    try:
        document = read_yaml(_read_text(file), file)
    except HardwareError as error:
        raise CrossbarError(error.findings) from None
    reader = _Reader(file, document)
    operations = reader.operations()
    if reader.findings:
        raise CrossbarError(sorted(reader.findings, key=lambda finding: finding.line or MAX_BYTES))
    return _measured(operations)


def with_activity(machine: Machine, measured: MeasuredActivity) -> Machine:
    """The same machine, whose times and energies rest on a measurement where they depend on data.

    Raises: CrossbarError: when nothing on it does.
    """
    bound = {
        name: part.with_measured(measured)
        for name, part in machine.parts.items()
        if isinstance(part, AnalogModule)
    }
    if not bound:
        raise CrossbarError(
            Finding("no part has times or energies that depend on data: leave the activity out", machine.file)
        )
    return replace(machine, parts=machine.parts | bound)


def _distinct_rows(matrix: Programmed) -> Iterator[Int64]:
    """The rows of the matrix's pieces, once where pieces side by side share them."""
    seen: list[Int64] = []
    for piece in matrix.pieces:
        if not any(np.array_equal(piece.rows, rows) for rows in seen):
            seen.append(piece.rows)
            yield piece.rows


def _count(record: _Record, operation: str, driven: Int64, rows: int, array_rows: int) -> None:
    """Add the blocks of a batch, (planes, batch, blocks) ones, to a record."""
    heights = np.minimum(array_rows, rows - np.arange(0, rows, array_rows))
    for height in np.unique(heights).tolist():
        ones = driven[:, :, heights == height].reshape(len(driven), -1)
        counts = np.array([np.bincount(plane, minlength=height + 1) for plane in ones], dtype=np.int64)
        before = record.blocks.get(height, np.zeros_like(counts))
        planes = len(next(iter(record.blocks.values()), counts))
        if planes != len(counts):
            raise CrossbarError(
                f"inputs of {operation!r} take {len(counts)} reads; those recorded before took {planes}"
            )
        record.blocks[height] = before + counts


def _measured(operations: Mapping[str, MeasuredOperation]) -> MeasuredActivity:
    content = "\n".join(_lines(operations)).encode()
    return MeasuredActivity(operations, hashlib.sha256(content).hexdigest()[:12])


def _lines(operations: Mapping[str, MeasuredOperation]) -> Iterator[str]:
    """A measurement as YAML."""
    yield f"activity: {VERSION}"
    yield "operations:"
    for name, operation in operations.items():
        yield f"  - operation: {json.dumps(name)}"
        yield f"    vectors: {operation.vectors}"
        yield f"    conversions: {operation.conversions}"
        yield f"    saturated: {operation.saturated}"
        yield "    blocks:"
        for block in operation.blocks.values():
            yield f"      - rows: {block.rows}"
            yield "        planes:"
            for plane in block.planes.tolist():
                yield f"          - [{', '.join(map(str, plane))}]"


def _read_text(file: str) -> str:
    try:
        with open(file, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise CrossbarError(Finding(f"cannot be read: {reason[0].lower() + reason[1:]}", file)) from None
    if len(content) > MAX_BYTES:
        raise CrossbarError(Finding(f"longer than {MAX_BYTES} bytes: this is no measured activity", file))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not a text: it has the byte 0x{content[error.start]:02X}, which is not UTF-8"
        raise CrossbarError(Finding(message, file, line)) from None


class _Reader:
    """Checks a file section by section, and notes everything that is wrong with it."""

    def __init__(self, file: str, document: LocatedYaml) -> None:
        self.file = file
        self.document = document
        self.findings: list[Finding] = list(document.findings)

    def operations(self) -> dict[str, MeasuredOperation]:
        """The operations; what is missing of them has a finding."""
        whole = self._section(_FileSection, self.document.data, ())
        if whole is None:
            return {}
        if whole.activity != VERSION:
            self._note(
                ("activity",), f"must be {VERSION}, the version that archsim reads, not {whole.activity}"
            )
            return {}
        found: dict[str, MeasuredOperation] = {}
        for number, data in enumerate(whole.operations):
            path: Path = ("operations", number)
            section = self._section(_OperationSection, data, path)
            if section is None:
                continue
            if section.operation in found:
                self._note((*path, "operation"), f"{section.operation!r} has two entries")
            if section.saturated > section.conversions:
                message = f"must be at most the conversions ({section.conversions}), not {section.saturated}"
                self._note((*path, "saturated"), message)
            blocks = self._blocks(section, path)
            found[section.operation] = MeasuredOperation(
                blocks, section.vectors, section.conversions, section.saturated
            )
        return found

    def _blocks(self, operation: _OperationSection, above: Path) -> dict[int, BlockCounts]:
        found: dict[int, BlockCounts] = {}
        planes = 0
        for number, data in enumerate(operation.blocks):
            path = (*above, "blocks", number)
            block = self._section(_BlockSection, data, path)
            if block is None or not self._planes_are_whole(block, path):
                continue
            planes = planes or len(block.planes)
            if len(block.planes) != planes:
                self._note(
                    (*path, "planes"), f"has {len(block.planes)} planes, the blocks before it {planes}"
                )
            if block.rows in found:
                self._note((*path, "rows"), f"blocks of {block.rows} rows have two entries")
            found[block.rows] = BlockCounts(block.rows, np.array(block.planes, dtype=np.int64))
        return found

    def _planes_are_whole(self, block: _BlockSection, path: Path) -> bool:
        """Whether every plane has a number for 0 to ``rows`` ones, and has blocks at all."""
        good = True
        for number, counts in enumerate(block.planes):
            where = (*path, "planes", number)
            if len(counts) != block.rows + 1:
                good = False
                self._note(
                    where, f"must have {block.rows + 1} counts, for 0 to {block.rows} ones, not {len(counts)}"
                )
            elif not any(counts):
                good = False
                self._note(where, "counts no block at all")
        return good

    def _section(self, section: type[_AnySection], data: Any, path: Path) -> _AnySection | None:
        """``data`` as a section, or None and the findings."""
        if not isinstance(data, dict):
            known = ", ".join(name for name in section.model_fields if name != "sources")
            self._note(path, f"must have the keys {known}")
            return None
        try:
            return section.model_validate(data)
        except ValidationError as error:
            for inner, message in explain(error, section, data):
                self._note((*path, *inner), message)
        return None

    def _note(self, path: Path, message: str) -> None:
        lines = self.document.lines
        depth = next((depth for depth in range(len(path), -1, -1) if path[:depth] in lines), 0)
        self.findings.append(Finding(message, self.file, lines.get(path[:depth]), dotted(path)))
