"""Finds what the outer folders and third parties provide, by entry point, so that the core imports nothing upwards."""

from __future__ import annotations

from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmt_qa.errors import HmtQaError

if TYPE_CHECKING:
    from hmt_qa.ports import Library


def load(group: str, name: str) -> Any:
    """The object behind an entry point; raises `HmtQaError` where the package is not installed."""
    for point in entry_points(group=group, name=name):
        return point.load()
    raise HmtQaError(
        f"No {name!r} is installed for {group}.", subject=name, remedy="Install the package again: pip install -e ."
    )


def open_library(home: Path, database: str = "") -> Library:
    """The library in the folder `home`, or at the URL `database`, by whoever keeps such ones; raises as they do."""
    kind = database.partition(":")[0].partition("+")[0] or "sqlite"
    opened: Library = load("hmt_qa.libraries", kind)(home, **({"url": database} if database else {}))
    return opened
