"""From settings to a working `DocumentQA`: the one place that decides which parts the product is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hmt_qa.types import ClusterOptions, ReaderOptions
from hmt_ui.keys import reader_key

if TYPE_CHECKING:
    from hmt_qa.app import DocumentQA
    from hmt_ui.settings import Settings


def open_with(*, cluster: ClusterOptions | None = None, **flags: Any) -> DocumentQA:
    """The product as a command's flags (None where not given), the environment and the home's file say."""
    from hmt_ui.settings import load

    return open_qa(load(**flags), cluster=cluster)


def open_qa(settings: Settings, *, cluster: ClusterOptions | None = None) -> DocumentQA:
    """The library in the settings' home, asked with the settings' model and answered by their reader."""
    from hmt_qa.app import DocumentQA

    return DocumentQA.open(
        settings.home,
        database=settings.library_url,
        model=settings.model,
        device=settings.device,
        dtype=settings.dtype,
        attention=settings.attention,
        reader=reader_options(settings),
        cluster=cluster,
    )


def reader_options(settings: Settings) -> ReaderOptions:
    """Who writes answers; an endpoint's key is looked for only where there is an endpoint."""
    return ReaderOptions(
        reader=settings.reader,
        base_url=settings.reader_url,
        key=reader_key(settings.reader_url) if settings.reader.startswith("openai:") else "",
        context_tokens=settings.reader_context,
        seconds=settings.reader_seconds,
    )
