"""Changes entries of nested frozen dataclasses by dotted names and texts: `run.rates.matrices=0.004`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


def changed(value: T, changes: Mapping[str, str]) -> T:
    """A copy with these entries; raises `ValueError` for a name that is not there or a text that does not fit."""
    for name, text in changes.items():
        value = _with(value, name.split("."), text, name)
    return value


def _with(value: Any, path: list[str], text: str, name: str) -> Any:
    if not is_dataclass(value) or path[0] not in {field.name for field in fields(value)}:
        raise ValueError(f"The recipe has no entry {name!r}.")
    old = getattr(value, path[0])
    new = _with(old, path[1:], text, name) if len(path) > 1 else _like(old, text, name)
    return replace(value, **{path[0]: new})  # type: ignore[type-var]


def _like(old: Any, text: str, name: str) -> Any:
    """The text as the type of the entry it replaces; an entry that was None becomes a number."""
    if isinstance(old, bool):
        if text.lower() not in {"true", "false"}:
            raise ValueError(f"{name} is true or false, not {text!r}.")
        return text.lower() == "true"
    if isinstance(old, Enum):
        return type(old)(text)
    if isinstance(old, int | float | str):
        return type(old)(text)
    if old is None:
        return float(text)
    return _shapes(text) if name in {"shapes", "curriculum"} else _refuse(name)


def _shapes(text: str) -> Any:
    """`64x8,32x16@0.5`: documents x segments, from this share of the run on."""
    from hmt_qa.training.recipes import Unroll

    shapes = []
    for part in text.split(","):
        size, _, share = part.partition("@")
        documents, segments = size.split("x")
        shapes.append(Unroll(documents=int(documents), segments=int(segments), share=float(share or 0)))
    return tuple(shapes)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} cannot be changed from the command line.")
