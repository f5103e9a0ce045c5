"""Where uploaded files are kept: one folder per content, the name still readable; knows no library.

uploads/DIGEST/NAME                  of the collection `default`
uploads/@COLLECTION/DIGEST/NAME      of another, so that what waits to be read still knows where it belongs
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from urllib.parse import quote, unquote

DEFAULT_COLLECTION = "default"
NAME_BYTES = 120
"""Most bytes of a stored file name; file systems take 255, and temporary names are longer."""

_FOLDER_CHARACTERS = 16
_UNSAFE = frozenset('/\\:*?"<>|')
_PARTIAL = ".part-"
_COLLECTION = "@"


def place(upload: Path, uploads: Path, *, collection: str = DEFAULT_COLLECTION) -> Path:
    """Move `upload` to its place under `uploads`; the same bytes under the same name always have the same place."""
    with upload.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    kept = _folder(uploads, collection) / digest[:_FOLDER_CHARACTERS] / safe_name(upload.name)
    if kept.exists():
        upload.unlink()
        return kept
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = kept.with_name(_PARTIAL + kept.name)
    shutil.move(upload, partial)
    partial.chmod(0o600)
    partial.replace(kept)
    return kept


def placed(uploads: Path) -> Iterator[tuple[Path, str]]:
    """Every kept file and its collection, oldest first."""
    whole = uploads.resolve()
    found = (file for pattern in ("*/*", f"{_COLLECTION}*/*/*") for file in whole.glob(pattern))
    files = (file for file in found if file.is_file() and not file.name.startswith(_PARTIAL))
    for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.name)):
        yield file, _collection(file, whole)


def discard(path: str, uploads: Path) -> bool:
    """Delete the kept copy at `path`, if it is one of ours, with its folders when they are empty then."""
    kept, whole = Path(os.path.abspath(path)), uploads.resolve()  # noqa: PTH100 - resolve() would follow a link out
    if not is_kept(kept, whole) or not kept.is_file():
        return False
    kept.unlink()
    for folder in kept.parents[: len(kept.relative_to(whole).parts) - 1]:
        if any(folder.iterdir()):
            break
        folder.rmdir()
    return True


def is_kept(path: Path, uploads: Path) -> bool:
    """Whether an absolute path is where a copy of ours would be."""
    owner = path.parent.parent
    return owner == uploads or (owner.parent == uploads and owner.name.startswith(_COLLECTION))


def shown_name(path: str, uploads: Path) -> str:
    """What a visitor may see of a document's path: of an upload `DIGEST/NAME`, of any other file its name."""
    file = Path(path)
    return f"{file.parent.name}/{file.name}" if is_kept(file, uploads) else file.name


def _folder(uploads: Path, collection: str) -> Path:
    whole = uploads.resolve()
    return whole if collection == DEFAULT_COLLECTION else whole / (_COLLECTION + quote(collection, safe=""))


def _collection(file: Path, uploads: Path) -> str:
    owner = file.parent.parent
    return DEFAULT_COLLECTION if owner == uploads else unquote(owner.name.removeprefix(_COLLECTION))


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
