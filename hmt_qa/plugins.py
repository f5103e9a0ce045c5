"""Finds what the outer folders and third parties provide, by entry point, so that the core imports nothing upwards."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from hmt_qa.errors import HmtQaError


def load(group: str, name: str) -> Any:
    """The object behind an entry point; raises `HmtQaError` where the package is not installed."""
    for point in entry_points(group=group, name=name):
        return point.load()
    raise HmtQaError(
        f"No {name!r} is installed for {group}.", subject=name, remedy="Install the package again: pip install -e ."
    )
