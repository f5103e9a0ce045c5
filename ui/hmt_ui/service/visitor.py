"""Who asks, and the library as that visitor may see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.types import Scope

from hmt_qa import DocumentQA, ownership
from hmt_ui.service.desk import TheDesk


@dataclass(frozen=True, slots=True)
class Visitor:
    """A user by name; without one, whoever runs the server, to whom everything belongs."""

    name: str = ""

    def stored(self, collection: str) -> str:
        """The name under which the visitor's collection is kept."""
        return ownership.stored(self.name, collection)

    def seen(self, collection: str) -> str:
        """A collection's name as the visitor gave it."""
        return ownership.seen(self.name, collection)

    def owns(self, collection: str) -> bool:
        """Whether a stored collection is the visitor's."""
        return ownership.owns(self.name, collection)


def admit(scope: Scope, visitor: Visitor) -> None:
    """Say whose request this is; whoever is in front of the routes decides it."""
    scope.setdefault("state", {})["visitor"] = visitor


def visitor_of(request: Request) -> Visitor:
    """Whose request this is."""
    visitor: Visitor = request.state.visitor
    return visitor


TheVisitor = Annotated[Visitor, Depends(visitor_of)]


def _mine(visitor: TheVisitor, desk: TheDesk) -> DocumentQA:
    return desk.of(visitor.name)


Mine = Annotated[DocumentQA, Depends(_mine)]
