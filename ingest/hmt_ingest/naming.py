"""File names as they are stored and shown: always valid Unicode."""

from __future__ import annotations

import os
from pathlib import Path


def shown(path: Path) -> str:
    r"""`path` as text that any database and terminal takes.

    A name whose bytes are not UTF-8 reaches Python with lone surrogates in it; those bytes are spelt `\xNN`.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")
