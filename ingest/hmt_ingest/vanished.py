"""Documents whose files are gone from the folders that a collection follows; knows nothing of reading."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from hmt_ingest.naming import on_disk, shown
from hmt_qa.types import Document

logger = logging.getLogger(__name__)


def vanished(documents: Iterable[Document], roots: Sequence[Path], *, recursive: bool) -> Iterator[Document]:
    """Those of `documents` that lie in `roots` (files and folders as the user gave them) and have no file any more.

    A file that is there, and is ignored, excluded or unreadable, is not gone. One is kept, too, where the folder that
    it was in is there and empty, as it is while a drive is not mounted: the log then says so.
    """
    given = [Path(os.path.realpath(root)) for root in roots]
    folders = [root for root in given if root.is_dir()]
    for document in documents:
        path = Path(document.path)
        inside = any(path.is_relative_to(folder) if recursive else path.parent == folder for folder in folders)
        if (not inside and path not in given) or os.path.lexists(on_disk(path)):
            continue
        if _is_empty(folder := next(folder for folder in path.parents if folder.is_dir())):
            logger.warning(
                "document kept: %s (its folder %s is empty; if that is meant, remove the folder, or use hmt-qa rm %s)",
                document.path,
                shown(folder),
                document.id,
            )
        else:
            yield document


def _is_empty(folder: Path) -> bool:
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True  # what cannot be looked into proves nothing
