"""What looking after a library finds."""

from __future__ import annotations

from dataclasses import dataclass

from hmt_qa.types.documents import Document


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing `doctor` looked at."""

    check: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """One document of an imported bundle; not `new` where the very same had been imported before."""

    document: Document
    new: bool
    with_text: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What `verify` found of one document; with an empty `document` of a conversation, or of the library's file."""

    document: str
    title: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """How many things of one kind nothing referred to, and what they took in bytes."""

    kind: str
    count: int
    size_bytes: int
