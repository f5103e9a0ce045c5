"""Looks at everything the product needs, as a user would want it checked, without changing anything."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hmt_qa.errors import HmtQaError
from hmt_qa.ports import Library
from hmt_qa.types import Finding
from hmt_ui.settings import Settings

if TYPE_CHECKING:
    from hmt_qa.engine import LocalEngine

GIGABYTE, MEGABYTE = 1e9, 1e6
LOW_DISK_GB = 1.0
MANY_JOBS = 1_000_000


def examine(settings: Settings) -> Iterator[Finding]:
    """Findings in the order a user would mend them."""
    packages = ("torch", "transformers", "sqlalchemy", "pypdfium2", "gradio")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    yield Finding(check="python", ok=True, detail=f"{platform.python_version()} on {platform.platform()}; {versions}")
    yield from _checked("disk", lambda: _disk(settings))
    (library,) = _checked("library", lambda: _library(settings, _summary))
    yield library
    if library.ok:
        yield from _checked("memories", lambda: _library(settings, _memories))
        yield from _checked("ingestions", lambda: _library(settings, _ingestions))
    yield from _checked("model", lambda: _model(settings))
    yield from _checked("engine", lambda: _engine(settings))
    if settings.reader:
        yield from _checked("reader", lambda: _reader(settings))
    optional = {
        name: importlib.util.find_spec(name) is not None for name in ("triton", "flash_attn", "faiss", "tesserocr")
    }
    detail = ", ".join(f"{name} {'there' if there else 'not there'}" for name, there in optional.items())
    yield Finding(check="optional", ok=True, detail=f"{detail} (none is needed)")


def _checked(check: str, look: Callable[[], tuple[bool, str]]) -> Iterator[Finding]:
    try:
        ok, detail = look()
    except HmtQaError as exc:
        ok, detail = False, str(exc)
    yield Finding(check=check, ok=ok, detail=detail)


def _disk(settings: Settings) -> tuple[bool, str]:
    existing = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / GIGABYTE
    return free >= LOW_DISK_GB, f"{free:.1f} GB free at {settings.home}"


def _library(settings: Settings, look: Callable[[Settings, Library], tuple[bool, str]]) -> tuple[bool, str]:
    from hmt_qa import plugins

    if not settings.database and not (settings.home / "library.db").exists():
        return True, f"none yet at {settings.home}; the first ingest makes it"
    library = plugins.open_library(settings.home, settings.library_url)
    try:
        return look(settings, library)
    finally:
        library.close()


def _summary(settings: Settings, library: Library) -> tuple[bool, str]:
    documents = library.documents()
    tokens = sum(document.tokens for document in documents)
    size = sum(file.stat().st_size for file in settings.home.glob("library.db*"))
    kept = f"{size / MEGABYTE:,.1f} MB, SQLite {sqlite3.sqlite_version}, " if not settings.database else ""
    return (
        True,
        f"{len(documents)} documents, {tokens:,} tokens, {kept}at {settings.place}; `hmt-qa verify` reads every byte",
    )


def _memories(settings: Settings, library: Library) -> tuple[bool, str]:
    """Whether the model in use can ask every document: one that it cannot ask stops a question to all."""
    from hmt_qa.app import EMBEDDED_MODEL
    from hmt_qa.model.checkpoint import Checkpoint

    model_id = Checkpoint.open(settings.model or EMBEDDED_MODEL).model_id
    documents = library.documents()
    others = [document for document in documents if document.model_id != model_id]
    if not others:
        return True, f"all {len(documents)} were read by the model in use"
    first = others[0]
    return False, (
        f"{len(others)} of {len(documents)} were read by another model than {model_id}: {first.id} by {first.model_id}."
        " Ingest them again, or ask with that model (--model)."
    )


def _ingestions(settings: Settings, library: Library) -> tuple[bool, str]:
    counts = Counter(job.state for job in library.jobs(limit=MANY_JOBS))
    shown = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "none yet"
    return True, f"{shown}; `hmt-qa jobs` lists them"


def _model(settings: Settings) -> tuple[bool, str]:
    from hmt_qa.app import EMBEDDED_MODEL
    from hmt_qa.model.checkpoint import Checkpoint

    checkpoint = Checkpoint.open(settings.model or EMBEDDED_MODEL)
    trained = "trained" if checkpoint.memory_trained else "not trained: recall leans on keywords"
    return True, f"{checkpoint.model_id}, {checkpoint.parameters / 1e6:.1f}M parameters, memory {trained}"


def _opened(settings: Settings) -> LocalEngine:
    from hmt_qa.app import EMBEDDED_MODEL
    from hmt_qa.engine import LocalEngine

    return LocalEngine(
        settings.model or EMBEDDED_MODEL,
        device=settings.device,
        dtype=settings.dtype,
        attention=settings.attention,
    )


def _reader(settings: Settings) -> tuple[bool, str]:
    """Whether it can be opened; an endpoint is not called, for that may cost money."""
    from hmt_qa.writers.choosing import open_writer
    from hmt_ui.compose import reader_options

    options = reader_options(settings)
    name = open_writer(options, _opened(settings)).name
    if not name.startswith("openai:"):
        return True, name
    return True, f"{name} at {options.base_url}, {'with a' if options.key else 'without'} key; not called"


def _engine(settings: Settings) -> tuple[bool, str]:
    engine = _opened(settings)
    rows = engine.summarise(engine.encode("Is everything well?").ids)
    finite = bool(rows.isfinite().all())
    return finite, f"{engine.setting}{'' if finite else '; the model gives values that are not finite'}"
