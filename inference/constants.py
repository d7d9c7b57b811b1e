"""The constants of the other modules as JSON types, for programs in other languages that follow them."""

import ast
import inspect
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np

from . import (
    age_gender,
    alignment,
    blazeface,
    detector,
    emotion,
    face_check,
    follow,
    image_checks,
    quality,
    saliency,
    satisfaction,
    search,
    tables,
    tracker,
    types,
)

MODULES = (
    types,
    alignment,
    search,
    blazeface,
    detector,
    face_check,
    quality,
    emotion,
    saliency,
    age_gender,
    tracker,
    follow,
    satisfaction,
    tables,
    image_checks,
)


def constants() -> dict[str, dict[str, Any]]:
    """What is written in capitals at the top level of each module, by its name and the module's: numbers, texts (bytes as characters of
    the same numbers), and lists and objects of them. Constants of another kind are left out."""
    found = {}
    for module in MODULES:
        values = {name: _plain(getattr(module, name)) for name in _own_names(inspect.getsource(module))}
        found[module.__name__.rpartition(".")[2]] = {name: value for name, value in values.items() if value is not None}
    return found


def _own_names(source: str) -> list[str]:
    """The constants that a module defines, not those that it imports."""
    targets: list[ast.expr] = []
    for node in ast.parse(source).body:
        targets += (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
    names = [name.id for target in targets for name in getattr(target, "elts", [target]) if isinstance(name, ast.Name)]
    return [name for name in names if name.isupper() and not name.startswith("_")]


def _plain(value: Any) -> Any:
    """A value as JSON types, None where it is none of them."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, list | tuple):
        items = [_plain(item) for item in value]
        return None if None in items else items
    if isinstance(value, dict):
        named = {name: _plain(item) for name, item in value.items()}
        return None if None in named.values() else named
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if isinstance(value, bool | int | float | str) else None
