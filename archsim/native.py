"""Compiled functions as machine code: kept on disk, and called without numba.

Importing numba and letting it load what it keeps on disk takes 0.4 s; LLVM alone loads machine code in
0.06 s. So numba compiles a function once, its machine code goes into a file, and later processes take it
from there. A function that is to be kept like that is ``numba.njit`` with ``_nrt=False``: it allocates
nothing, takes integers, arrays and named tuples of them, and returns an integer.

numba's code takes every argument apart into numbers of 64 bits (numba.core.callconv.CPUCallConv), six and
more for an array. Most of them are the same in every call with arguments of these types: nobody owns the
memory, an element has so many bytes, a row so many columns. A frame around the code takes the others, a
number as it is, an array as its address and its length, and promises that arrays do not overlap. LLVM then
optimises the code once more with what it now knows.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import math
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

_DIGEST_BYTES = 32


class Apart(NamedTuple):
    """An argument that is taken apart once, for many calls: its arrays stay where they are.

    Args: types: of what is in it; numbers: that stand for it.
    """

    argument: Any
    types: str
    numbers: list[int]

    @classmethod
    def of(cls, argument: Any) -> Apart:
        """An argument of the sorts that compiled functions take."""
        numbers: list[int] = []
        return cls(argument, _take_apart(argument, numbers), numbers)


class Native:
    """A function that is compiled where there is no machine code on disk for the types of its arguments.

    Args: module, function: where it stands; the module imports numba, and is imported to compile only.
    """

    def __init__(self, module: str, function: str) -> None:
        self._module = module
        self._function = function
        self._loaded: dict[str, Callable[..., int]] = {}

    def __call__(self, *arguments: Any) -> int:
        """Call the machine code, without the lock of the interpreter.

        Args: arguments: int, arrays in C order that can be written to, and named tuples of these; or these
            taken apart. What is written through one array must not be read or written through another.
        Raises: TypeError: for an argument of another sort; RuntimeError: when the code raised something.
        """
        numbers: list[int] = []
        types = ", ".join([_take_apart(argument, numbers) for argument in arguments])
        if types not in self._loaded:
            self._loaded[types] = _linked(self._code(types, arguments), self._function, len(numbers))
        result, raised = ctypes.c_int64(), ctypes.c_void_p()
        status = self._loaded[types](ctypes.byref(result), ctypes.byref(raised), *numbers)
        if status:
            raise RuntimeError(f"{self._module}.{self._function} raised an error: status {status}")
        return result.value

    def _code(self, types: str, arguments: tuple[Any, ...]) -> bytes:
        """The machine code from disk, or compiled and put there.

        A file begins with the digest of all that the code depends on and of the code itself, so that one
        that is out of date, or broken, is compiled again.
        """
        source, environment = _source(self._module), _environment()
        key = "\n".join([self._module, self._function, types, source, environment]).encode()
        name = hashlib.sha256(f"{types}\n{environment}".encode()).hexdigest()[:16]
        files = [folder / f"{self._module}.{self._function}.{name}.o" for folder in _folders(self._module)]
        for file in files:
            try:
                kept = file.read_bytes()
            except OSError:
                continue
            digest, code = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
            if hashlib.sha256(key + code).digest() == digest:
                return code
        function = getattr(importlib.import_module(self._module), self._function)
        code = _compiled(function, arguments)
        _keep(files, hashlib.sha256(key + code).digest() + code)
        return code


def _take_apart(argument: Any, numbers: list[int]) -> str:
    """Append the numbers that stand for an argument; returns its type."""
    if isinstance(argument, Apart):
        numbers += argument.numbers
        return argument.types
    if isinstance(argument, np.ndarray):
        if not (argument.flags.c_contiguous and argument.flags.writeable and argument.dtype.isnative):
            raise TypeError("compiled functions take arrays in C order that can be written to")
        length, *columns = argument.shape
        numbers += (argument.__array_interface__["data"][0], length)
        return f"{argument.dtype.str}{columns}"
    if isinstance(argument, tuple):
        inside = [_take_apart(each, numbers) for each in argument]
        return f"{type(argument).__name__}({', '.join(inside)})"
    if isinstance(argument, int):
        numbers.append(argument)
        return "int"
    raise TypeError(f"compiled functions take no {type(argument).__name__}")


class _Frame:
    """A function around one that numba compiled, which takes no more than differs from call to call.

    Args: takes: what it takes; passes: what it calls the other with; steps: what it computes for that.
    """

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.takes = ["ptr %result", "ptr %raised"]
        self.passes = ["ptr %result", "ptr %raised"]
        self.steps: list[str] = []
        for argument in arguments:
            self._add(argument)

    def _add(self, argument: Any) -> None:
        number = len(self.takes)
        if isinstance(argument, Apart):
            self._add(argument.argument)
        elif isinstance(argument, np.ndarray):
            columns, size = argument.shape[1:], argument.itemsize
            row = math.prod(columns)
            self.takes += [f"ptr noalias %array{number}", f"i64 %length{number}"]
            self.steps.append(f"%size{number} = mul i64 %length{number}, {row}")
            strides = [size * math.prod(columns[place:]) for place in range(len(columns) + 1)]
            constants = [f"i64 {each}" for each in (*columns, *strides)]
            # nobody owns the memory and there is no parent: compiled code counts no references
            self.passes += ["ptr null", "ptr null", f"i64 %size{number}", f"i64 {size}"]
            self.passes += [f"ptr %array{number}", f"i64 %length{number}", *constants]
        elif isinstance(argument, tuple):
            for each in argument:
                self._add(each)
        else:
            self.takes.append(f"i64 %number{number}")
            self.passes.append(f"i64 %number{number}")

    def around(self, function: str, name: str) -> str:
        """Its code in LLVM's language, for it to have that name."""
        types = ", ".join([each.split()[0] for each in self.passes])
        return "\n".join(
            [
                f"declare i32 @{function}({types})",
                f"define i32 @{name}({', '.join(self.takes)}) {{",
                *self.steps,
                f"%status = call i32 @{function}({', '.join(self.passes)})",
                "ret i32 %status",
                "}",
            ]
        )


def _numba_type(argument: Any) -> Any:
    """What numba calls the type of an argument."""
    import numba

    types: Any = numba.types
    if isinstance(argument, Apart):
        return _numba_type(argument.argument)
    if isinstance(argument, np.ndarray):
        return types.Array(numba.from_dtype(argument.dtype), argument.ndim, "C")
    if isinstance(argument, tuple):
        return types.NamedTuple([_numba_type(each) for each in argument], type(argument))
    return types.int64


def _compiled(function: Any, arguments: tuple[Any, ...]) -> bytes:
    """The machine code of a dispatcher's function for arguments of these types.

    Raises: TypeError: when it calls what is not part of its machine code; RuntimeError: when numba takes
        arguments apart in another way than this module does.
    """
    import llvmlite.binding as llvm
    import numba

    types = tuple(_numba_type(argument) for argument in arguments)
    options = {**function.targetoptions, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    alone = numba.jit(**options)(function.py_func)
    alone.compile(numba.types.int64(*types))
    module = llvm.parse_assembly(alone.inspect_llvm(types))
    inside = [each for each in module.functions if not each.is_declaration]
    (entry,) = (each for each in inside if each.linkage == llvm.Linkage.external)
    entry.name = "inside"
    frame = _Frame(arguments)
    if [str(each.type) for each in entry.arguments] != [each.split()[0] for each in frame.passes]:
        raise RuntimeError(f"numba {numba.__version__} calls functions in a way that archsim does not know")
    module.link_in(llvm.parse_assembly(frame.around(entry.name, function.py_func.__name__)))
    entry.linkage = llvm.Linkage.internal
    entry.add_function_attribute("alwaysinline")
    process = ctypes.CDLL(None)
    outside = [each.name for each in module.functions if each.is_declaration]
    missing = [each for each in outside if not each.startswith("llvm.") and not hasattr(process, each)]
    if missing:
        name = function.py_func.__name__
        raise TypeError(f"{name} calls {', '.join(missing)}: compiled functions allocate nothing")
    return _emitted(module)


def _emitted(module: Any) -> bytes:
    """The machine code of an LLVM module, optimised for this processor and no other."""
    import llvmlite.binding as llvm

    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=3))
    passes.getModulePassManager().run(module, passes)
    code: bytes = machine.emit_object(module)
    return code


def _linked(code: bytes, name: str, numbers: int) -> Callable[..., int]:
    """The function of that name in ``code``, ready to be called."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    prototype = ctypes.CFUNCTYPE(
        ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * numbers
    )
    function = prototype(engine.get_function_address(name))
    function.owner = engine  # type: ignore[attr-defined]  # which frees the code when it goes
    return function


@functools.cache
def _environment() -> str:
    """What machine code depends on besides its source: the compilers, and the processor."""
    import llvmlite
    import llvmlite.binding as llvm

    return " ".join(
        [
            sys.implementation.cache_tag or sys.version,
            importlib.metadata.version("numba"),
            llvmlite.__version__,
            llvm.get_process_triple(),
            llvm.get_host_cpu_name(),
            llvm.get_host_cpu_features().flatten(),
        ]
    )


@functools.cache
def _source(module: str) -> str:
    """The digest of the module, of those beside it, which it may import from, and of this one."""
    files = [Path(__file__), *sorted(_file(module).parent.glob("*.py"))]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


def _file(module: str) -> Path:
    """Where a module stands, which is not imported for that."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"no module named {module!r}", name=module)
    return Path(spec.origin)


def _folders(module: str) -> list[Path]:
    """Where machine code is looked for: beside the module, and in the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return [_file(module).parent / "__pycache__", Path(caches, "archsim")]


def _keep(files: list[Path], content: bytes) -> None:
    """Write the first of ``files`` that can be written, whole or not at all; it is no harm if none can."""
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            fresh = file.with_suffix(f".{secrets.token_hex(8)}")
            fresh.write_bytes(content)
            fresh.replace(file)
        except OSError:
            continue
        return
