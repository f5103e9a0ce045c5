"""What git would ignore: patterns of nested `.gitignore` files, the deeper file and the later line winning.

pathspec translates each pattern; which pattern decides about which entry is settled here, entry by entry from the top
down, as git does it: so a file below an ignored folder is never reached and cannot be included again.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pathspec.patterns.gitignore import GitIgnorePatternError
from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

from hmt_ingest.gitfolders import exclude_file, is_working_tree

logger = logging.getLogger(__name__)

_UNESCAPED_TRAILING_SPACES = re.compile(r"(?<!\\) +$")


@dataclass(frozen=True, slots=True)
class _Rule:
    regex: re.Pattern[str]
    ignores: bool
    folders_only: bool

    def matches(self, relative: str, *, is_folder: bool) -> bool:
        """Whether the pattern names this very entry, and not merely a folder above it."""
        if self.folders_only and not is_folder:
            return False
        found = self.regex.search(relative)
        return found is not None and found.groupdict().get("ps_d") is None


@dataclass(frozen=True, slots=True)
class _Layer:
    base: str
    rules: tuple[_Rule, ...]


@dataclass(frozen=True, slots=True)
class IgnoreRules:
    """The patterns in force in one folder; `layers` from weak to strong. Paths are absolute, with `/`."""

    layers: tuple[_Layer, ...] = ()

    def entering(self, folder: Path) -> IgnoreRules:
        """These rules with those that `folder` itself brings: `info/exclude`, then `.gitignore`.

        Where a repository begins, a submodule for one, the rules of the one around it end.
        """
        begins = is_working_tree(folder)
        rules = IgnoreRules() if begins else self
        for file in ((exclude_file(folder),) if begins else ()) + (folder / ".gitignore",):
            if lines := _lines(file):
                rules = rules.adding(folder, lines)
        return rules

    def adding(self, base: Path, lines: Iterable[str]) -> IgnoreRules:
        """These rules with stronger ones, relative to `base`."""
        found = tuple(rule for line in lines if (rule := _rule(line)) is not None)
        return IgnoreRules((*self.layers, _Layer(_bytewise(base.as_posix().rstrip("/") + "/"), found)))

    def ignores(self, path: str, *, is_folder: bool) -> bool:
        """Whether the entry at `path` is ignored, given that the folders above it are not."""
        path = _bytewise(path)
        for layer in reversed(self.layers):
            relative = path.removeprefix(layer.base)
            for rule in reversed(layer.rules):
                if rule.matches(relative, is_folder=is_folder):
                    return rule.ignores
        return False


def rules_above(folder: Path) -> IgnoreRules:
    """The rules that the repository around `folder` holds for it, without those of `folder` itself."""
    around: list[Path] = []
    if not is_working_tree(folder):
        for parent in folder.parents:
            around.append(parent)
            if is_working_tree(parent):
                break
        else:
            around = []
    rules = IgnoreRules()
    for parent in reversed(around):
        rules = rules.entering(parent)
    return rules


def _bytewise(text: str) -> str:
    """`text` with a character for each byte of it: git's `?` stands for a byte, and names need not be Unicode."""
    return os.fsencode(text).decode("latin-1")


def _lines(file: Path) -> list[str]:
    try:
        return os.fsdecode(file.read_bytes()).removeprefix("\ufeff").split("\n")
    except OSError:
        return []


def _rule(line: str) -> _Rule | None:
    text = _UNESCAPED_TRAILING_SPACES.sub("", _bytewise(line).removesuffix("\r"))
    # "foo/" means "foo, if it is a folder"; the pattern without its slash is anchored just as before.
    folders_only = text.endswith("/")
    try:
        pattern = GitIgnoreSpecPattern(text.rstrip("/") if folders_only else text)
    except (GitIgnorePatternError, re.error):
        logger.warning("ignore pattern not understood: %r", line)
        return None
    if pattern.regex is None or pattern.include is None:
        return None
    return _Rule(regex=pattern.regex, ignores=pattern.include, folders_only=folders_only)
