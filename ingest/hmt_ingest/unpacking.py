"""A zip as files below one folder, and nowhere else: bounded in number and size, no links. Knows no other process."""

from __future__ import annotations

import shutil
import stat
import unicodedata
import zlib
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, ZipInfo

MOST_FILES = 5_000
MOST_BYTES = 1_000_000_000
"""Of all files of a tree."""
_HARMLESS = 50_000_000  # bytes, however well packed
_BEST_PACKING = 100  # times; source code reaches 10, a log 30
_ENCRYPTED = 0x1
_NAME_BYTES = 200
_PATH_BYTES = 1_000
_DRIVE = 2  # characters of `C:`
_BROKEN = (BadZipFile, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class Unfit(Exception):
    """The tree is not taken; the message goes on behind its name."""


def inside(name: str) -> PurePosixPath:
    """The relative path that a member or an upload is named by; raises `Unfit` where it leads out of the tree."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in {"", "."}]
    leads_out = name.startswith(("/", "\\")) or ".." in parts or name[1:_DRIVE] == ":"
    if leads_out or not parts:
        raise Unfit(f"names {name[:80]!r}, which is no place inside it")
    sizes = [len(part.encode("utf-8", "replace")) for part in parts]
    if max(sizes) > _NAME_BYTES or sum(sizes) + len(sizes) > _PATH_BYTES:
        raise Unfit("has a name that is too long")
    return PurePosixPath(*map(_printable, parts))


def unpack(archive: Path, folder: Path) -> dict[str, str]:
    """Write the archive's files below `folder`; what was left out, and why. Raises `Unfit`."""
    try:
        with ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _require_reasonable(members)
            return dict(_each(opened, members, folder))
    except _BROKEN as problem:
        raise Unfit("is damaged, or no zip") from problem


def _each(opened: ZipFile, members: list[ZipInfo], folder: Path) -> list[tuple[str, str]]:
    left_out = []
    for member in members:
        place = inside(member.filename)
        if stat.S_IFMT(member.external_attr >> 16) in {0, stat.S_IFREG}:
            _write(opened, member, folder / place)
        else:
            left_out.append((str(place), "link, or no regular file"))
    return left_out


def _write(opened: ZipFile, member: ZipInfo, target: Path) -> None:
    if ".git" in target.parts:
        return  # it says where other files are, and none of it is to be read
    target.parent.mkdir(parents=True, exist_ok=True)
    with opened.open(member) as packed, target.open("xb") as file:  # of two by the same name the second raises
        shutil.copyfileobj(packed, file)  # never more than the member claims: `zipfile` stops there


def _require_reasonable(members: list[ZipInfo]) -> None:
    total, packed = (sum(getattr(one, size) for one in members) for size in ("file_size", "compress_size"))
    if len(members) > MOST_FILES:
        raise Unfit(f"holds {len(members):,} files; {MOST_FILES:,} are taken")
    if total > MOST_BYTES or total > max(_HARMLESS, _BEST_PACKING * packed):
        raise Unfit(f"unpacks from {packed / 1e6:,.1f} to {total / 1e6:,.0f} MB: that is a bomb, or too large")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise Unfit("is encrypted")


def _printable(part: str) -> str:
    return "".join("_" if unicodedata.category(letter)[0] == "C" else letter for letter in part)
