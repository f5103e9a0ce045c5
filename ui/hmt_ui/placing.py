"""Where uploaded files are kept: one folder per content, the name still readable; knows no library."""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path

NAME_BYTES = 120
"""Most bytes of a stored file name; file systems take 255, and temporary names are longer."""

_FOLDER_CHARACTERS = 16
_UNSAFE = frozenset('/\\:*?"<>|')
_PARTIAL = ".part-"


def place(upload: Path, uploads: Path) -> Path:
    """Move `upload` to its place under `uploads`; the same bytes under the same name always have the same place."""
    with upload.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    kept = uploads.resolve() / digest[:_FOLDER_CHARACTERS] / safe_name(upload.name)
    if kept.exists():
        upload.unlink()
        return kept
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = kept.with_name(_PARTIAL + kept.name)
    shutil.move(upload, partial)
    partial.chmod(0o600)
    partial.replace(kept)
    return kept


def placed(uploads: Path) -> Iterator[Path]:
    """Every kept file, oldest first."""
    files = (file for file in uploads.resolve().glob("*/*") if file.is_file() and not file.name.startswith(_PARTIAL))
    yield from sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name))


def discard(path: str, uploads: Path) -> bool:
    """Delete the kept copy at `path`, if it is one of ours, with its folder when that is empty then."""
    kept = Path(os.path.abspath(path))  # noqa: PTH100 - resolve() would follow a link out of the folder
    if kept.parent.parent != uploads.resolve() or not kept.is_file():
        return False
    kept.unlink()
    if not any(kept.parent.iterdir()):
        kept.parent.rmdir()
    return True


def safe_name(name: str) -> str:
    """`name` as a plain file name: no folders, control or formatting characters; its suffix stays."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rsplit("/", 1)[-1]
    kept = "".join("_" if character in _UNSAFE else character for character in last if _printable(character))
    stem, dot, suffix = kept.strip().lstrip(".").rpartition(".")
    stem, suffix = (stem, dot + suffix) if dot and stem.strip() else (stem + dot + suffix, "")
    suffix = _cut(suffix.rstrip(". "), NAME_BYTES // 4)
    return (_cut(stem.strip(), NAME_BYTES - len(suffix.encode())).strip() or "document") + suffix


def _printable(character: str) -> bool:
    return unicodedata.category(character)[0] != "C"


def _cut(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
