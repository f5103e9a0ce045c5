"""hmt-qa: question answering over long documents with a Hierarchical Memory Transformer."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hmt_qa.app import DocumentQA as DocumentQA

__all__ = ["DocumentQA"]


def __getattr__(name: str) -> object:
    """`from hmt_qa import DocumentQA` loads the facade; `import hmt_qa` alone loads nothing heavy."""
    if name == "DocumentQA":
        from hmt_qa.app import DocumentQA

        return DocumentQA
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
