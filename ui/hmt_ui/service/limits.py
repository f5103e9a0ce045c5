"""How much one request, and all that wait together, may take."""

from __future__ import annotations

from dataclasses import dataclass

from hmt_qa.errors import CollectionUnsuited, TooLarge

MEGABYTE = 1_000_000
COLLECTION_BYTES = 64
"""Most bytes of a collection's name: it is part of a folder's name where uploads are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Quotas of the service. `waiting` counts questions that wait for the model, and files that wait to be read."""

    upload_mb: int = 200
    waiting: int = 256
    question_characters: int = 4_000

    @property
    def upload_bytes(self) -> int:
        """Most bytes of an uploaded file."""
        return self.upload_mb * MEGABYTE

    def check_question(self, question: str) -> str:
        """The question itself; raises `TooLarge`."""
        if len(question) > self.question_characters:
            raise TooLarge(
                f"The question has {len(question):,} characters; {self.question_characters:,} are taken.",
                subject=len(question),
                remedy="Ask for less at once.",
            )
        return question


def check_collection(name: str) -> str:
    """The name without white space around it; raises `CollectionUnsuited` for an empty, overlong or unprintable one."""
    kept = name.strip()
    if not kept or not kept.isprintable() or "/" in kept or len(kept.encode("utf-8", "replace")) > COLLECTION_BYTES:
        raise CollectionUnsuited(
            f"A collection's name is 1 to {COLLECTION_BYTES} bytes of printable text without a slash.",
            subject=name,
            remedy="Choose another name.",
        )
    return kept
