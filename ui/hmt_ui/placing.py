"""Where uploaded files are kept, the name still readable; knows no library.

uploads/DIGEST/NAME                  a file by its content, of the collection `default`
uploads/+TREE/FOLDER/NAME            a file of an uploaded folder by its place: sent again, it is replaced
uploads/@COLLECTION/…                both of another collection: what waits to be read still knows where it belongs
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
_PARTS = 2  # of a file kept by its content: digest and name
_UNSAFE = frozenset('/\\:*?"<>|')
_PARTIAL = ".part-"
_COLLECTION = "@"
_TREE = "+"


def place(upload: Path, uploads: Path, *, collection: str = DEFAULT_COLLECTION) -> Path:
    """Move `upload` to its place under `uploads`; the same bytes under the same name always have the same place."""
    kept = _folder(uploads, collection) / _digest(upload)[:_FOLDER_CHARACTERS] / safe_name(upload.name)
    if kept.exists():
        upload.unlink()
    else:
        _move(upload, kept)
    return kept


def place_in_tree(upload: Path, uploads: Path, *, tree: str, relative: str, collection: str) -> tuple[Path, bool]:
    """Move a file of an uploaded folder to its place, over what was there; the place, and whether that is another now.

    `relative` is a path inside the folder, from `hmt_ingest.trees`.
    """
    kept = _folder(uploads, collection) / (_TREE + safe_name(tree)) / relative
    if kept.is_file() and _digest(kept) == _digest(upload):
        upload.unlink()
        return kept, False
    _move(upload, kept)
    return kept, True


def placed(uploads: Path) -> Iterator[tuple[Path, str]]:
    """Every kept file and its collection, oldest first."""
    whole = uploads.resolve()
    files = (file for file in whole.rglob("*") if file.is_file() and not file.name.startswith(_PARTIAL))
    kept = (file for file in files if is_kept(file, whole))
    for file in sorted(kept, key=lambda file: (file.stat().st_mtime_ns, file.name)):
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
    within = _within(path, uploads)
    return len(within) == _PARTS or (len(within) > 1 and within[0].startswith(_TREE))


def shown_name(path: str, uploads: Path) -> str:
    """What a visitor may see of a document's path: of an upload `DIGEST/NAME` or `TREE/FOLDER/NAME`, else the name."""
    file = Path(path)
    return "/".join(_within(file, uploads)).removeprefix(_TREE) if is_kept(file, uploads) else file.name


def place_in_words(path: str, uploads: Path) -> str:
    """What a document's file is called for people: where it is in an uploaded folder, else its name."""
    within = _within(Path(path), uploads)
    return "/".join(within).removeprefix(_TREE) if within and within[0].startswith(_TREE) else Path(path).name


def _within(path: Path, uploads: Path) -> tuple[str, ...]:
    """The parts of a path below the uploads of its collection; none for another."""
    if not path.is_relative_to(uploads):
        return ()
    parts = path.relative_to(uploads).parts
    return parts[1:] if parts[:1] and parts[0].startswith(_COLLECTION) else parts


def _move(upload: Path, kept: Path) -> None:
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = kept.with_name(_PARTIAL + kept.name)
    shutil.move(upload, partial)
    partial.chmod(0o600)
    partial.replace(kept)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def _folder(uploads: Path, collection: str) -> Path:
    whole = uploads.resolve()
    return whole if collection == DEFAULT_COLLECTION else whole / (_COLLECTION + quote(collection, safe=""))


def _collection(file: Path, uploads: Path) -> str:
    owner = file.relative_to(uploads).parts[0]
    return unquote(owner.removeprefix(_COLLECTION)) if owner.startswith(_COLLECTION) else DEFAULT_COLLECTION


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
