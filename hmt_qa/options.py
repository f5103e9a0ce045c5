"""Keyword arguments that several methods of the facade take, written once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from hmt_qa.types import Mode, Ranking


class AskOptions(TypedDict, total=False):
    """What `ask` and `stream` take beside the question."""

    collection: str | None
    documents: Sequence[str]
    mode: Mode
    top: int
    as_of_page: int | None
    verify: bool
    budget: int | None


class ChatOptions(TypedDict, total=False):
    """What `chat` takes beside the conversation and the question."""

    mode: Mode
    top: int
    verify: bool
    budget: int | None


class SearchOptions(TypedDict, total=False):
    """What `search` takes beside the question."""

    collection: str | None
    documents: Sequence[str]
    top: int
    using: Ranking
