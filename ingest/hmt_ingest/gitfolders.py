"""Where git keeps what belongs to a working tree: in `.git`, or where that points in submodules and worktrees."""

from __future__ import annotations

import os
import re
from pathlib import Path

_POINTER = "gitdir: "
_SUBMODULE = re.compile(r'^[ \t]*path[ \t]*=[ \t]*"?(.+?)"?[ \t]*$', re.MULTILINE)


def is_working_tree(folder: Path) -> bool:
    """Whether a repository begins in `folder`: rules of the one around it end there."""
    return (folder / ".git").exists()


def exclude_file(folder: Path) -> Path:
    """The `info/exclude` that holds for the working tree in `folder`; it need not exist."""
    home = folder / ".git"
    if (pointer := _read(home)).startswith(_POINTER):
        home = folder / pointer.removeprefix(_POINTER).strip("\n")
    if common := _read(home / "commondir").strip("\n"):
        home = home / common
    return home / "info" / "exclude"


def missing_submodules(folder: Path) -> list[Path]:
    """Folders that should hold a submodule of the working tree in `folder` and are empty."""
    named = (folder / name for name in _SUBMODULE.findall(_read(folder / ".gitmodules")))
    return [path for path in named if path.is_dir() and not [*path.iterdir()]]


def _read(file: Path) -> str:
    try:
        return os.fsdecode(file.read_bytes())
    except OSError:
        return ""
