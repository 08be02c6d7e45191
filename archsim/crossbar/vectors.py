"""Vectors of columns, written down: the compiler would have to prove that operands do not overlap.

A vector fills two registers of 512 bits, and several of fewer: 16 float64 or 32 int32. Its elements are those
of the arrays that it is loaded from.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

VECTOR_BYTES = 128

TILE, FIXED_TILE = VECTOR_BYTES // 8, VECTOR_BYTES // 4
"""Columns of a vector of float64, and of one of int32."""

GROUPS, ENTRIES = 16, 16
"""Groups of four rows in a word, and sums that each can give."""

_WHOLE = ir.IntType(64)
_TILE = ir.VectorType(ir.DoubleType(), TILE)


def _pointer(target: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """A pointer to the vector that begins with an element of an array."""
    element = target.get_data_type(array_type.dtype)
    vector = ir.VectorType(element, 8 * VECTOR_BYTES // array_type.dtype.bitwidth)
    data = target.make_array(array_type)(target, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), vector.as_pointer())


def _load(builder: Any, pointer: Any) -> Any:
    return builder.load(pointer, align=4)


def _store(builder: Any, vector: Any, pointer: Any) -> None:
    builder.store(vector, pointer, align=4)


def _spread(builder: Any, scalar: Any, count: int = TILE) -> Any:
    """A vector of equal elements."""
    kind = ir.VectorType(scalar.type, count)
    one = builder.insert_element(ir.Constant(kind, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), count), [0] * count)
    return builder.shuffle_vector(one, ir.Constant(kind, ir.Undefined), zeros)


def _plus(array_type: Any, builder: Any) -> Any:
    return builder.fadd if isinstance(array_type.dtype, types.Float) else builder.add


def _selected(target: Any, builder: Any, table_type: Any, table: Any, word: Any) -> Any:
    """The sum of the 16 entries of a table that a word of 64 rows selects."""
    count = 8 * VECTOR_BYTES // table_type.dtype.bitwidth
    terms = []
    for group in range(GROUPS):
        row_bits = builder.and_(builder.lshr(word, _WHOLE(4 * group)), _WHOLE(ENTRIES - 1))
        entry = builder.add(builder.mul(row_bits, _WHOLE(count)), _WHOLE(group * ENTRIES * count))
        terms.append(_load(builder, _pointer(target, builder, table_type, table, entry)))
    plus = _plus(table_type, builder)
    while len(terms) > 1:  # by twos, so that additions do not wait for each other
        terms = [plus(*terms[i : i + 2]) for i in range(0, len(terms), 2)]
    return terms[0]


def _entries(operation: str) -> Any:
    """A function that sets the sums of a tile to what a word selects, adds or subtracts that."""

    @intrinsic
    def of_word(_context: Any, sums: Any, at: Any, table: Any, word: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _pointer(target, builder, signature.args[0], arguments[0], arguments[1])
            total = _selected(target, builder, signature.args[2], arguments[2], arguments[3])
            if operation != "set":
                real = "f" if isinstance(table.dtype, types.Float) else ""
                total = getattr(builder, real + operation)(_load(builder, place), total)
            _store(builder, total, place)
            return target.get_dummy_value()

        return types.void(sums, types.int64, table, types.uint64), generate

    return of_word


set_entries, add_entries, subtract_entries = _entries("set"), _entries("add"), _entries("sub")
"""Of sums, the first of a tile in them, a table, and the word of 64 rows."""


@intrinsic
def tabulate(_context: Any, table: Any, new: Any, old: Any, level: Any) -> Any:
    """The entries of a tile in a table at ``new``: those at ``old``, plus a row of levels."""

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        of_table = signature.args[0]
        before = _load(builder, _pointer(target, builder, of_table, arguments[0], arguments[2]))
        row = _load(builder, _pointer(target, builder, signature.args[3], arguments[3], _WHOLE(0)))
        after = _pointer(target, builder, of_table, arguments[0], arguments[1])
        _store(builder, _plus(table, builder)(before, row), after)
        return target.get_dummy_value()

    return types.void(table, types.int64, types.int64, level), generate


def _real_codes(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The instructions of ``add_codes_of_row``."""
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
    _store(builder, builder.fadd(_load(builder, place), builder.fmul(factors, kept)), place)
    differs = builder.bitcast(builder.fcmp_unordered("!=", kept, code), ir.IntType(TILE))
    differs = builder.and_(builder.zext(differs, _WHOLE), arguments[5])
    return builder.ctpop(differs)


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

    real = types.float64
    return types.int64(
        codes, types.int64, ideal, bend, factor, types.int64, real, real, real, real, real
    ), _real_codes


def _fixed_codes(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """The instructions of ``add_fixed_codes``."""
    kinds, word = signature.args, ir.IntType(32)
    place = _pointer(target, builder, kinds[0], arguments[0], arguments[1])
    of_sum = _pointer(target, builder, kinds[2], arguments[2], arguments[3])
    factors = _load(builder, _pointer(target, builder, kinds[4], arguments[4], _WHOLE(0)))
    least, most, more, places, near = (
        _spread(builder, builder.trunc(each, word), FIXED_TILE) for each in arguments[5:]
    )
    total = builder.add(_load(builder, of_sum), more)
    code = builder.ashr(total, places)
    above_edge = builder.sub(total, builder.shl(code, places))
    doubts = builder.icmp_unsigned("<", above_edge, near)
    kept = builder.select(builder.icmp_signed("<", code, least), least, code)
    kept = builder.select(builder.icmp_signed(">", kept, most), most, kept)
    before = _load(builder, place)
    after = builder.add(before, builder.mul(factors, kept))
    _store(builder, builder.select(doubts, before, after), place)
    beyond = builder.and_(builder.icmp_signed("!=", kept, code), builder.not_(doubts))
    marks = [builder.zext(builder.bitcast(each, word), _WHOLE) for each in (doubts, beyond)]
    return builder.or_(marks[0], builder.shl(marks[1], _WHOLE(32)))


@intrinsic
def add_fixed_codes(
    _context: Any,
    codes: Any,
    at: Any,
    sums: Any,
    of_sums: Any,
    factor: Any,
    lowest: Any,
    highest: Any,
    bias: Any,
    shift: Any,
    doubtful: Any,
) -> Any:
    """Convert FIXED_TILE sums, in fixed point, and add their codes times ``factor``.

    Nothing is added for sums that are in doubt: which, plus ``bias``, are less than ``doubtful`` units above
    the edge of a code.

    Args: at, of_sums: the first of them in ``codes`` and ``sums``; bias: units to be added; shift: binary
        places of a unit.
    Returns: the bits of those in doubt, and above these 32 of the others that saturated.
    """

    whole = types.int64
    return types.uint64(codes, whole, sums, whole, factor, whole, whole, whole, whole, whole), _fixed_codes
