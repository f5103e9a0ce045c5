"""Paths to files, in a fixed order; honours git's ignore rules and names what it leaves out."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

from hmt_ingest.gitfolders import missing_submodules
from hmt_ingest.gitrules import IgnoreRules, rules_above
from hmt_ingest.naming import on_disk
from hmt_ingest.suitability import Suitability

_NEVER_ENTERED = frozenset(".git .hg .svn .bzr _darcs .jj node_modules __pycache__ .venv".split())


@dataclass(frozen=True, slots=True)
class Found:
    """A file to read, absolute and resolved; `named` when the user gave this very file."""

    path: Path
    named: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder inside a given folder that is left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How folders are searched. `include` and `exclude` are gitignore-style, relative to the given folder.

    Where `include` is given, only files that it matches are taken; `exclude` is stronger than every ignore file.
    """

    suitability: Suitability
    recursive: bool = True
    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def files(self, paths: Sequence[Path]) -> Iterator[Found | Skipped]:
        """Each file once: a given one always, those of a given folder sorted by name and never through links."""
        seen: set[Path] = set()
        for given in paths:
            root = Path(os.path.realpath(on_disk(given)))
            entries = self._below(root) if root.is_dir() else iter((Found(root, named=True),))
            for entry in entries:
                if isinstance(entry, Skipped):
                    yield entry
                elif entry.path not in seen:
                    seen.add(entry.path)
                    yield entry

    def _below(self, root: Path) -> Iterator[Found | Skipped]:
        included = GitIgnoreSpec.from_lines(self.include) if self.include else None
        yield from self._folder(root, rules_above(root), root, included)

    def _folder(
        self, folder: Path, outer: IgnoreRules, root: Path, included: GitIgnoreSpec | None
    ) -> Iterator[Found | Skipped]:
        rules = outer.entering(folder)
        # The user's own patterns come last and so decide, but are not handed down twice.
        deciding = rules.adding(root, self.exclude) if self.exclude else rules
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as problem:
            yield Skipped(folder, problem.strerror or "unreadable")
            return
        for path in missing_submodules(folder):
            yield Skipped(path, "submodule that is not checked out")
        for entry in entries:
            path = Path(entry.path)
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name in _NEVER_ENTERED or deciding.ignores(path.as_posix(), is_folder=is_folder):
                continue
            if entry.is_symlink():
                yield from _link(path, root)
            elif is_folder:
                if self.recursive:
                    yield from self._folder(path, rules, root, included)
            elif included is None or included.match_file(path.relative_to(root).as_posix()):
                yield self._judged(path, is_file=entry.is_file(follow_symlinks=False))

    def _judged(self, path: Path, *, is_file: bool) -> Found | Skipped:
        if not is_file:
            return Skipped(path, "not a regular file")
        try:
            objection = self.suitability.objection(path)
        except OSError as problem:
            objection = problem.strerror or "unreadable"
        return Skipped(path, objection) if objection else Found(path, named=False)


def _link(path: Path, root: Path) -> Iterator[Skipped]:
    """A link to what lies below `root` needs no word: its target is found itself. Others could lead anywhere."""
    if not Path(os.path.realpath(path)).is_relative_to(root):
        yield Skipped(path, "link to outside the folder")
