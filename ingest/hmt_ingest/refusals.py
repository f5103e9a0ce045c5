"""The errors that several readers raise in the same words."""

from __future__ import annotations

from pathlib import Path

from hmt_ingest.naming import shown
from hmt_qa.errors import CorruptFile, EmptyFile


def zero_bytes(path: Path) -> EmptyFile:
    """The error for a file without content."""
    return EmptyFile(f"{shown(path)} has zero bytes.", subject=shown(path), remedy="Get an intact copy.")


def no_text(path: Path) -> EmptyFile:
    """The error for a file in which nothing is written."""
    return EmptyFile(f"{shown(path)} holds no text.", subject=shown(path), remedy="Give a file with text in it.")


def corrupt(path: Path, what: str) -> CorruptFile:
    """The error for bytes that are not what they should be; `what` they are instead, or what is wrong with them."""
    return CorruptFile(f"Cannot read {shown(path)}: {what}.", subject=shown(path), remedy="Get an intact copy.")
