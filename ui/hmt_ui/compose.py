"""From settings to a working `DocumentQA`: the one place that decides which parts the product is made of."""

from __future__ import annotations

from hmt_qa.app import DocumentQA
from hmt_ui.settings import Settings


def open_qa(settings: Settings) -> DocumentQA:
    """The library in the settings' home, asked with the settings' model."""
    return DocumentQA.open(
        settings.home,
        model=settings.model,
        device=settings.device,
        dtype=settings.dtype,
        attention=settings.attention,
    )
