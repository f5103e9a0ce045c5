"""Which bytes a file holds, and whether they are still the same; reads in blocks."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG

from hmt_ingest.naming import shown
from hmt_qa.errors import FileMissing, FileProblem, UnsupportedFile

_BLOCK_BYTES = 1 << 20


SETTLED_SECONDS = 2.0
"""How long a file must have been left alone for its times to prove anything: a tick of FAT's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A file's content hash (hex) with the cheap signs of a later change.

    `stamp` is what `stamp_of` gives as long as the file holds these bytes; empty for one that was written to so lately
    that the next write might leave it with the same times.
    """

    sha256: str
    size_bytes: int
    modified_ns: int
    inode: int
    stamp: str


def stamp_of(path: Path) -> str:
    """Size, times of change of content and of inode, and inode, in one line; raises `FileMissing`."""
    try:
        return _stamp(path.stat())
    except OSError as problem:
        raise missing(path, problem) from problem


def _stamp(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_ino}"


def take_fingerprint(path: Path) -> Fingerprint:
    """Hash the file at `path`; raises `FileMissing`, or `UnsupportedFile` for anything but a regular file."""
    now = time.time()
    try:
        status = path.stat()
        if not S_ISREG(status.st_mode):
            raise UnsupportedFile(
                f"{shown(path)} is not a regular file.", subject=shown(path), remedy="Give a file or a folder."
            )
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError as problem:
        raise missing(path, problem) from problem
    return Fingerprint(
        sha256=digest.hexdigest(),
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        inode=status.st_ino,
        stamp=_stamp(status) if now - max(status.st_mtime, status.st_ctime) > SETTLED_SECONDS else "",
    )


def require_unchanged(path: Path, before: Fingerprint) -> None:
    """Raise `FileProblem` when the bytes at `path` are not those of `before`.

    Hashes again only where size, time or inode differ: a file that was merely touched is the same file.
    """
    try:
        status = path.stat()
    except OSError as problem:
        raise missing(path, problem) from problem
    if (status.st_size, status.st_mtime_ns, status.st_ino) == (before.size_bytes, before.modified_ns, before.inode):
        return
    if take_fingerprint(path).sha256 != before.sha256:
        raise FileProblem(
            f"{shown(path)} changed while it was being read.", subject=shown(path), remedy="Ingest it again."
        )


def missing(path: Path, problem: OSError) -> FileMissing:
    """The error for a file that the system will not open."""
    reason = problem.strerror or type(problem).__name__
    return FileMissing(
        f"Cannot read {shown(path)}: {reason}.", subject=shown(path), remedy="Check the path and its permissions."
    )
