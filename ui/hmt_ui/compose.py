"""From settings to a working `DocumentQA`: the one place that decides which parts the product is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hmt_qa.app import DocumentQA
    from hmt_ui.settings import Settings


def open_with(**flags: Any) -> DocumentQA:
    """The product as a command's flags (None where not given), the environment and the home's file say."""
    from hmt_ui.settings import load

    return open_qa(load(**flags))


def open_qa(settings: Settings) -> DocumentQA:
    """The library in the settings' home, asked with the settings' model."""
    from hmt_qa.app import DocumentQA

    return DocumentQA.open(
        settings.home,
        model=settings.model,
        device=settings.device,
        dtype=settings.dtype,
        attention=settings.attention,
    )
