"""Which files inside a folder are not worth reading, and why; a file given by name is never asked about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hmt_ingest.confidential import holds_a_key, named_like_secrets
from hmt_ingest.readers.encoding import looks_binary, read_head
from hmt_ingest.registry import PDF_MAGIC, Registry

MAX_BYTES = 200 * 1000 * 1000
"""Larger files are skipped inside folders."""
MAX_GENERATED_BYTES = 2 * 1000 * 1000
"""Lock files, JSON, XML and SVG above this are data or output, not something to ask questions of."""
MAX_MEAN_LINE = 1_000
"""Characters; code with longer lines on average is minified."""

_GENERATED = frozenset(".lock .json .jsonl .ndjson .geojson .xml .svg".split())
_LOCK_NAMES = frozenset("pnpm-lock.yaml go.sum npm-shrinkwrap.json".split())
_LEFT_BEHIND = ("~$", ".~lock.", "._")  # what Word, LibreOffice and macOS put beside a document
_MINIFIABLE = frozenset(".js .mjs .cjs .jsx .ts .tsx .css .scss .less".split())


@dataclass(frozen=True, slots=True)
class Suitability:
    """Judges files found in folders by name, size and first bytes."""

    registry: Registry

    def objection(self, path: Path) -> str:
        """Why the regular file at `path` is left out; empty when it is to be read. Raises `OSError`."""
        if named_like_secrets(path):
            return "may hold secrets, by its name"
        by_name = _objection_by_name(path.name.lower(), path.suffix.lower(), path.stat().st_size)
        if by_name or self.registry.claims(path.suffix.lower()):
            return by_name
        return _objection_by_content(path.suffix.lower(), read_head(path))


def _objection_by_name(name: str, suffix: str, size: int) -> str:
    if name.startswith(_LEFT_BEHIND):
        return "left behind by another program"
    if size == 0:
        return "empty"
    if size > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1_000_000} MB"
    if size > MAX_GENERATED_BYTES and (suffix in _GENERATED or name in _LOCK_NAMES):
        return f"generated data larger than {MAX_GENERATED_BYTES // 1_000_000} MB"
    return "minified" if ".min." in name or suffix == ".map" else ""


def _objection_by_content(suffix: str, head: bytes) -> str:
    if head.startswith(PDF_MAGIC):
        return ""
    if holds_a_key(head):
        return "holds a private key"
    if looks_binary(head):
        return "binary"
    return "minified" if suffix in _MINIFIABLE and len(head) > MAX_MEAN_LINE * (head.count(b"\n") + 1) else ""
