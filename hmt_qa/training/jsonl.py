"""Reads and writes zstd-compressed JSON Lines; knows nothing of models."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from hmt_qa.errors import FileMissing

WINDOW = 2**31  # bytes; the shards were written with a long window


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of a `.jsonl.zst` file, one a line."""
    import zstandard

    with path.open("rb") as file:
        text = io.TextIOWrapper(zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(file), "utf-8")
        for line in text:
            yield cast("dict[str, Any]", json.loads(line))


def write(path: Path, objects: Iterable[Mapping[str, Any]]) -> None:
    """One object a line; folders are made."""
    import zstandard

    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in objects)
    path.write_bytes(zstandard.ZstdCompressor(level=10).compress(text.encode()))


def find(data: Path, *patterns: str) -> list[Path]:
    """Files under `data` whose names match, in a stable order; `dev` folders are for measuring and never searched.

    Raises `FileMissing` where nothing matches.
    """
    found = {path for pattern in patterns for path in data.rglob(pattern) if "dev" not in path.relative_to(data).parts}
    if not found:
        raise FileMissing(
            f"{data} holds no file named {' or '.join(patterns)}.",
            subject=data,
            remedy="Name the folder that holds corpus/ and qa/ with --data.",
        )
    return sorted(found)


def named(paths: Sequence[Path]) -> str:
    """A short name for a set of files: changes when one of them changes its name or its size."""
    import hashlib

    told = "\n".join(f"{path.name} {path.stat().st_size}" for path in paths)
    return hashlib.sha256(told.encode()).hexdigest()[:12]
