"""What the fields of a section mean: the docstrings below them, read when a message or a page needs them."""

from __future__ import annotations

import ast
import inspect
import textwrap
from functools import lru_cache

from archsim.cost.entry import Section


@lru_cache(maxsize=256)
def meanings(section: type[Section]) -> dict[str, str]:
    """The meaning of each field, by its name, those of the sections that it is derived from included.

    pydantic's ``use_attribute_docstrings`` reads the sources at every start, for 40 ms; few runs ask.
    """
    found: dict[str, str] = {}
    for cls in reversed(section.__mro__):
        if not issubclass(cls, Section):
            continue
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        for field, text in zip(definition.body, definition.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[field.target.id] = inspect.cleandoc(str(text.value.value))
    return found
