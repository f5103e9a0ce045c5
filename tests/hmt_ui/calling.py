"""What a call of the command line came to."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Outcome]


def one_line(text: str) -> bool:
    return text.startswith("hmt-qa: ") and len(text.strip().splitlines()) == 1 and "Traceback" not in text
