"""A folder that somebody sent, zipped or file by file: which of its files are read, found by a process with limits.

python -m hmt_ingest.trees      an order as JSON on standard input, what was found as JSON on standard output

A stranger's ignore pattern may take for ever to match, and a zip's directory alone may fill the memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from hmt_ingest.registry import installed_readers
from hmt_ingest.sandbox import errand
from hmt_ingest.sandbox.limits import impose
from hmt_ingest.suitability import Suitability
from hmt_ingest.unpacking import MOST_BYTES, Unfit, unpack
from hmt_ingest.walk import Found, Walk
from hmt_qa.errors import TreeRefused
from hmt_qa.types import ParsingLimits

SECONDS = 60.0
_LIMITS = ParsingLimits(memory_mb=1024, page_seconds=20, total_seconds=20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An empty folder to unpack `archive` to; or without one, the folder where the files lie already."""

    folder: str
    archive: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What is to be read below `root`, as relative paths in order; `left_out` says why others are not.

    `name` is that of the one folder which holds everything, or empty where there is no such folder.
    """

    name: str
    root: str
    files: Sequence[str]
    left_out: Mapping[str, str]


def tree(order: Order) -> Tree:
    """What the order's folder holds, unpacked where that is asked for; raises `TreeRefused`."""
    name = Path(order.archive or order.folder).name
    try:
        said = json.loads(errand.run("hmt_ingest.trees", asdict(order), seconds=SECONDS))
    except errand.ErrandFailed as problem:
        raise _refused(name, "took too much memory or time to look through") from problem
    if "unfit" in said:
        raise _refused(name, said["unfit"])
    return Tree(**said)


def look_through(order: Order) -> Tree:
    """`tree`, in this process; raises `Unfit`."""
    folder = Path(order.folder).resolve()
    left_out = unpack(Path(order.archive), folder) if order.archive else {}
    root, name = _top(folder)
    files = []
    for entry in Walk(suitability=Suitability(installed_readers())).files([root]):
        relative = entry.path.relative_to(root).as_posix()
        if isinstance(entry, Found):
            files.append(relative)
        else:
            left_out[relative] = entry.reason
    return Tree(name=name, root=str(root), files=files, left_out=left_out)


def _top(folder: Path) -> tuple[Path, str]:
    """The one folder that holds everything, as zipped repositories have it, or `folder` itself."""
    entries = [*folder.iterdir()]
    return (entries[0], entries[0].name) if len(entries) == 1 and entries[0].is_dir() else (folder, "")


def _refused(name: str, why: str) -> TreeRefused:
    return TreeRefused(f"{name} {why}.", subject=name, remedy="Send a smaller or another one, or its files one by one.")


def main() -> None:
    """Look through what standard input orders."""
    order = Order(**json.loads(sys.stdin.buffer.read()))
    impose(_LIMITS, written_bytes=MOST_BYTES)
    try:
        said = asdict(look_through(order))
    except Unfit as unfit:
        said = {"unfit": str(unfit)}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
