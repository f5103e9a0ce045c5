"""The memories that a question's folded query has the largest inner products with, proposed by FAISS.

Codes of one bit a number (RaBitQ) of every memory embedding of one model. It is a cache in the home folder: a manifest
says which memories are in it and in which state; where SQLite says otherwise, memories are taken out and put in, or all
is built again. What it proposes is for the exact softmax to judge.

The one file that knows FAISS. Shapes: N segments · M memories a segment · D hidden size.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import Connection, text

from hmt_storage.contents import numbers

_log = logging.getLogger(__name__)

FORMAT = 2
_LISTS = 64
"""Lists, all of which are looked through: they make the codes better (an embedding's code tells how it lies to its
list's centre) and not the search shorter, which missed two of five: see docs/decisions/0017."""

_TRAINING = 48  # memories a list, for its centre; FAISS asks for 39
_REBUILD = 0.25  # of all memories: when more were added or removed, the lists' centres no longer fit
_SAVE = 0.01
_BATCH = 200  # documents' memories added at a time
NUMBERS = 2**24
"""An embedding's number within its memory is below this."""
_SEED = 0


class Found(NamedTuple):
    """A segment of a memory."""

    memory_id: int
    segment: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the index should hold: the state of each memory of one model, M (`parts`) embeddings of D a segment."""

    model_id: str
    parts: int
    width: int
    embeddings: int
    states: Mapping[int, str]


class NearestIndex:
    """The index of one library; safe between threads. Its files are `folder`'s; losing them loses time only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._index: Any = None
        self._held: dict[str, Any] = {}
        self._unsaved = 0

    def search(self, connection: Connection, wanted: Wanted, query_D: np.ndarray, count: int) -> list[Found]:
        """At most `count` embeddings' segments, each once, the largest inner product first."""

        with self._lock:
            self._bring_up_to_date(connection, wanted)
            index = self._index
            _, ids = index.search(query_D.reshape(1, -1).astype(np.float32), count)
        memories, places = np.divmod(ids[0][ids[0] >= 0], NUMBERS)
        found = np.stack([memories, places // wanted.parts], axis=1)
        _, first = np.unique(found, axis=0, return_index=True)
        return [Found(memory_id, segment) for memory_id, segment in found[np.sort(first)].tolist()]

    def forget(self) -> None:
        """Delete the files: something was deleted that they may hold codes of. The next search writes new ones."""
        with self._lock:
            for path in [*self._folder.glob("manifest*"), *self._folder.glob("memories-*")]:
                path.unlink(missing_ok=True)
            self._unsaved = len(self._held.get("states", {}))

    def _bring_up_to_date(self, connection: Connection, wanted: Wanted) -> None:
        if self._index is None:
            self._load()
        shape = {"format": FORMAT, "model_id": wanted.model_id, "parts": wanted.parts, "width": wanted.width}
        held: dict[int, str] = self._held.get("states", {})
        if held == wanted.states and self._is_like(shape):
            return
        gone = [memory for memory, state in held.items() if wanted.states.get(memory) != state]
        new = [memory for memory, state in wanted.states.items() if held.get(memory) != state]
        if not self._is_like(shape) or len(gone) + len(new) > _REBUILD * len(wanted.states):
            self._build(connection, wanted)
            self._unsaved = len(wanted.states)
        else:
            self._remove(gone)
            self._add(connection, wanted, new)
        self._held = shape | {"states": dict(wanted.states)}
        self._unsaved += len(gone) + len(new)
        _log.info("nearest_index added=%d removed=%d embeddings=%d", len(new), len(gone), self._index.ntotal)
        if self._unsaved >= _SAVE * len(wanted.states):
            self._save()

    def _is_like(self, shape: Mapping[str, Any]) -> bool:
        return self._index is not None and all(self._held.get(name) == value for name, value in shape.items())

    def _build(self, connection: Connection, wanted: Wanted) -> None:
        memories = np.array(list(wanted.states))
        total = wanted.embeddings
        self._index = empty_index(wanted.width, total)
        lists = self._index.nlist
        np.random.default_rng(_SEED).shuffle(memories)
        enough = max(1, -(-len(memories) * lists * _TRAINING // total))
        sample = [values for _, values in _embeddings(connection, wanted, memories[:enough].tolist())]
        self._index.train(np.concatenate(sample))
        self._add(connection, wanted, sorted(wanted.states))

    def _add(self, connection: Connection, wanted: Wanted, memories: Sequence[int]) -> None:
        for first in range(0, len(memories), _BATCH):
            batch = list(_embeddings(connection, wanted, memories[first : first + _BATCH]))
            ids, values = (np.concatenate(part) for part in zip(*batch, strict=True))
            self._index.add_with_ids(values, ids)

    def _remove(self, memories: Sequence[int]) -> None:
        import faiss

        for memory in memories:
            self._index.remove_ids(faiss.IDSelectorRange(memory * NUMBERS, (memory + 1) * NUMBERS))

    def _load(self) -> None:
        """What the files hold, where they are whole and belong together; else nothing."""
        import faiss

        with suppress(OSError, ValueError, RuntimeError):  # FAISS raises RuntimeError for a file it cannot read
            held = json.loads((self._folder / "manifest.json").read_text(encoding="utf-8"))
            index: Any = faiss.read_index(str(self._folder / held["file"]))
            if index.ntotal == held["embeddings"] and index.d == held["width"]:
                held["states"] = {int(memory): state for memory, state in held["states"].items()}
                index.nprobe, index.parallel_mode = index.nlist, 1
                self._index, self._held = index, held

    def _save(self) -> None:
        """Write both files; the manifest, written last, names the index it belongs to."""
        import faiss

        name = f"memories-{os.getpid()}-{self._index.ntotal}.faiss"
        manifest = self._held | {"file": name, "embeddings": self._index.ntotal}
        try:
            self._folder.mkdir(exist_ok=True)
            faiss.write_index(self._index, str(self._folder / name))
            partial = self._folder / f"manifest-{os.getpid()}.part"
            partial.write_text(json.dumps(manifest), encoding="utf-8")
            partial.replace(self._folder / "manifest.json")
            for other in self._folder.glob("memories-*.faiss"):
                if other.name != name:
                    other.unlink(missing_ok=True)
        except (OSError, RuntimeError) as error:
            _log.warning("nearest_index_not_saved folder=%s error=%s", self._folder, error)
        else:
            self._unsaved = 0


def empty_index(width: int, embeddings: int) -> Any:
    """An untrained FAISS index for so many embeddings; a search looks through all of it, on all cores."""
    import faiss

    lists = max(1, min(_LISTS, embeddings // _TRAINING))
    index: Any = faiss.index_factory(width, f"IVF{lists},RaBitQ", faiss.METRIC_INNER_PRODUCT)
    index.nprobe, index.parallel_mode = lists, 1
    return index


def _embeddings(
    connection: Connection, wanted: Wanted, memories: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(ids, values (N·M, D) float32) of each memory that has segments."""
    rows = text(
        'SELECT m.dtype, r."row" FROM memory_rows AS r JOIN memories AS m ON m.id = r.memory_id '
        "WHERE r.memory_id = :memory ORDER BY r.number"
    )
    for memory in memories:
        found = connection.execute(rows, {"memory": memory}).all()
        dtype = found[0].dtype
        values = numbers(b"".join(row for _, row in found), dtype).reshape(-1, wanted.width)
        yield memory * NUMBERS + np.arange(len(values)), values
