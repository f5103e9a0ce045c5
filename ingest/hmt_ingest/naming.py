"""File names as they are stored and shown: always valid Unicode."""

from __future__ import annotations

import os
import re
from pathlib import Path

_SPELT_BYTE = re.compile(rb"\\x([89a-f][0-9a-f])")


def shown(path: Path) -> str:
    r"""`path` as text that any database and terminal takes.

    A name whose bytes are not UTF-8 reaches Python with lone surrogates in it; those bytes are spelt `\xNN`.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def on_disk(path: Path) -> Path:
    """The inverse of `shown`: where there is no `path`, the one whose name has bytes for the `\\xNN` in it, if any."""
    if os.path.lexists(path):
        return path
    raw = _SPELT_BYTE.sub(lambda spelt: bytes.fromhex(spelt[1].decode()), os.fsencode(path))
    return Path(os.fsdecode(raw)) if os.path.lexists(raw) else path
