"""Vectors of TILE columns, written down: the compiler would have to prove that operands do not overlap."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

TILE = 16
"""Columns of a vector of float64."""

GROUPS, ENTRIES = 16, 16
"""Groups of four rows in a word, and sums that each can give."""

_WHOLE, _REAL = ir.IntType(64), ir.DoubleType()
_TILE = ir.VectorType(_REAL, TILE)


def _pointer(target: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """A pointer to TILE elements of an array."""
    data = target.make_array(array_type)(target, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _TILE.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(pointer, align=8)


def _spread(builder: Any, scalar: Any) -> Any:
    """A vector of equal elements."""
    one = builder.insert_element(ir.Constant(_TILE, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), TILE), [0] * TILE)
    return builder.shuffle_vector(one, ir.Constant(_TILE, ir.Undefined), zeros)


@intrinsic
def add_entries(_context: Any, sums: Any, at: Any, table: Any, word: Any) -> Any:
    """Add the 16 entries of a table that a word of 64 rows selects to TILE sums, ``at`` the first of them."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = _pointer(target, builder, signature.args[0], arguments[0], arguments[1])
        terms = [_load(builder, place)]
        for group in range(GROUPS):
            row_bits = builder.and_(builder.lshr(arguments[3], _WHOLE(4 * group)), _WHOLE(ENTRIES - 1))
            entry = builder.add(builder.mul(row_bits, _WHOLE(TILE)), _WHOLE(group * ENTRIES * TILE))
            terms.append(_load(builder, _pointer(target, builder, signature.args[2], arguments[2], entry)))
        while len(terms) > 1:  # by twos, so that additions do not wait for each other
            pairs = [builder.fadd(*terms[i : i + 2]) for i in range(0, len(terms) - 1, 2)]
            terms = pairs + terms[2 * len(pairs) :]
        builder.store(terms[0], place, align=8)
        return target.get_dummy_value()

    return types.void(sums, types.int64, table, types.uint64), generate


@intrinsic
def tabulate(_context: Any, table: Any, new: Any, old: Any, level: Any) -> Any:
    """The TILE entries of a table at ``new``: those at ``old``, plus a row of levels."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of_table = signature.args[0]
        before = _load(builder, _pointer(target, builder, of_table, arguments[0], arguments[2]))
        row = _load(builder, _pointer(target, builder, signature.args[3], arguments[3], _WHOLE(0)))
        after = _pointer(target, builder, of_table, arguments[0], arguments[1])
        builder.store(builder.fadd(before, row), after, align=8)
        return target.get_dummy_value()

    return types.void(table, types.int64, types.int64, level), generate


@intrinsic
def add_codes_of_row(
    _context: Any,
    codes: Any,
    at: Any,
    ideal: Any,
    bend: Any,
    factor: Any,
    columns: Any,
    lowest: Any,
    highest: Any,
    half: Any,
    offset: Any,
    gain: Any,
) -> Any:
    """Convert TILE sums, in steps, and add their codes times ``factor``; returns how many saturated.

    Operations and their order are those of ``Converter.convert``.

    Args: at: the first of them in ``codes`` and ``ideal``; bend: (TILE,) errors of the codes; columns: bits
        of those that there are.
    """

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kinds = signature.args
        place = _pointer(target, builder, kinds[0], arguments[0], arguments[1])
        ideals = _load(builder, _pointer(target, builder, kinds[2], arguments[2], arguments[1]))
        bends = _load(builder, _pointer(target, builder, kinds[3], arguments[3], _WHOLE(0)))
        factors = _load(builder, _pointer(target, builder, kinds[4], arguments[4], _WHOLE(0)))
        least, most, rounding, shift, slope = (_spread(builder, each) for each in arguments[6:])
        code = builder.fadd(builder.fadd(ideals, bends), builder.fmul(ideals, slope))
        code = builder.fadd(builder.fadd(code, shift), rounding)
        insert: Any = cgutils.get_or_insert_function
        floor = insert(builder.module, ir.FunctionType(_TILE, [_TILE]), f"llvm.floor.v{TILE}f64")
        code = builder.call(floor, [code])
        kept = builder.select(builder.fcmp_ordered("<", code, least), least, code)
        kept = builder.select(builder.fcmp_ordered(">", kept, most), most, kept)
        added = builder.fadd(_load(builder, place), builder.fmul(factors, kept))
        builder.store(added, place, align=8)
        differs = builder.bitcast(builder.fcmp_unordered("!=", kept, code), ir.IntType(TILE))
        differs = builder.and_(builder.zext(differs, _WHOLE), arguments[5])
        return builder.ctpop(differs)

    real = types.float64
    return types.int64(
        codes, types.int64, ideal, bend, factor, types.int64, real, real, real, real, real
    ), generate
