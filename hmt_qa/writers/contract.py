"""What every writer is given and what it gives back; citing and timing are not its business."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hmt_qa.types import Mode, StoredSegment, Turn

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A recalled segment and where it stands: the title of its document and the page it begins on.

    share: of its place among all proposed, 0 to 1.
    """

    title: str
    page: int
    segment: StoredSegment
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One question with all there is to answer it from.

    earlier: the turn of a conversation that the question goes with. passages: best first; none in memory mode.
    prompt_1MD: what the memory recalls, (1, M, D), of use to its own model.
    """

    question: str
    question_ids: Sequence[int]
    passages: Sequence[Passage]
    prompt_1MD: Tensor
    mode: Mode
    earlier: Turn | None = None


class Unanswerable(Exception):
    """Raised by a writer that finds no answer in the passages; whatever it wrote before does not count.

    confidence: how likely an answer would have been right, where the writer can tell.
    """

    def __init__(self, confidence: float | None = None) -> None:
        super().__init__()
        self.confidence = confidence


class Writer(Protocol):
    """Writes answers. `name` stands beside each of them."""

    @property
    def name(self) -> str:
        """What wrote the answer, as a user should see it."""
        ...

    def write(self, request: Request) -> Generator[str, None, float | None]:
        """Pieces of the answer as they come; closing the generator stops the work.

        Returns how likely the answer is right, 0 to 1, or None where the writer cannot tell. Raises `Unanswerable`, and
        `ReaderProblem` where the writer cannot do its work.
        """
        ...
