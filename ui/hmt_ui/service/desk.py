"""What every route works with: the library as its visitor may see it, and what all visitors share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from hmt_qa import DocumentQA
from hmt_ui.service.figures import Figures
from hmt_ui.service.inbox import Inbox
from hmt_ui.service.limits import Limits
from hmt_ui.service.line import Line
from hmt_ui.service.picturing import Pictures
from hmt_ui.service.throttle import Throttle
from hmt_ui.service.warming import Warming


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """One library behind one model."""

    qa: DocumentQA
    inbox: Inbox
    warming: Warming
    line: Line
    limits: Limits
    figures: Figures
    pictures: Pictures
    throttle: Throttle
    _views: dict[str, DocumentQA] = field(default_factory=dict, repr=False)

    def of(self, owner: str) -> DocumentQA:
        """The library as a user sees it; all of it without one."""
        if not owner:
            return self.qa
        return self._views.get(owner) or self._views.setdefault(owner, self.qa.owned_by(owner))


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


TheDesk = Annotated[Desk, Depends(_desk)]
