"""The border to files: each is opened and read by a child process of its own; what goes wrong is a `FileProblem`."""

from __future__ import annotations

import atexit
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path

from hmt_ingest.sandbox.opening import Sandbox, SandboxedText
from hmt_qa.ports import Reader
from hmt_qa.types import ParsingLimits

_USUAL = ParsingLimits()


def opened(
    reader: Reader, path: Path, password: str | None, limits: ParsingLimits = _USUAL
) -> AbstractContextManager[SandboxedText]:
    """Open `path` with `reader`; raises `FileProblem` only. What the body of the `with` raises passes untouched."""
    return shared_sandbox().open(reader, path, password=password, limits=limits)


@cache
def shared_sandbox() -> Sandbox:
    """The one of this process; its fork server ends with us."""
    sandbox = Sandbox()
    atexit.register(sandbox.close)
    return sandbox
