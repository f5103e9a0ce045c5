"""One order carried out by a Python module in a process of its own: what breaks, breaks there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

from hmt_ingest.sandbox.starting import environment


class ErrandFailed(Exception):
    """The process broke, was ended by its limits, or took too long."""


def run(module: str, order: Mapping[str, object], *, seconds: float) -> bytes:
    """What `python -m module` writes, given an order as JSON on standard input. Raises `ErrandFailed`.

    The module imposes its own limits of memory and processor time; `seconds` are of waiting.
    """
    try:
        return subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-m", module],
            input=json.dumps(order).encode(),
            capture_output=True,
            check=True,
            timeout=seconds,
            env=environment(),
        ).stdout
    except (subprocess.SubprocessError, OSError) as problem:
        raise ErrandFailed(module) from problem
