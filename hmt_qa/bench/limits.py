"""What this machine is and the most it can do, measured in the same run as whatever is compared with it."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import transformers

from hmt_qa.model.machine import cpu_name

REPEATS = 9
WARMING = 2
COPIED = {"cuda": 2**30, "cpu": 2**27}  # bytes: much larger than any cache
SIDE = {"cuda": 8192, "cpu": 1024}  # rows and columns of the matrices multiplied


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What figures are bound to."""

    device: str
    cpus: int
    load: float
    torch: str
    transformers: str
    python: str
    system: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """`copy_bytes`: bytes read plus bytes written a second by a copy. `matrix_rate`: operations a second, bfloat16."""

    copy_bytes: float
    matrix_rate: float


def this_machine(device: torch.device) -> Machine:
    """Load is the number of processes that wanted to run over the last minute."""
    return Machine(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        cpus=len(os.sched_getaffinity(0)),
        load=round(os.getloadavg()[0], 1),
        torch=torch.__version__,
        transformers=transformers.__version__,
        python=platform.python_version(),
        system=platform.platform(),
    )


def measure_limits(device: torch.device) -> Limits:
    """On random numbers: zeros cost less power and so less time."""
    source = torch.randint(0, 256, (COPIED[device.type],), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copying = median_seconds(lambda: target.copy_(source), device)
    side = SIDE[device.type]
    one, other = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    multiplying = median_seconds(lambda: one @ other, device)
    return Limits(copy_bytes=2 * source.numel() / copying, matrix_rate=2 * side**3 / multiplying)


def median_seconds(call: Callable[[], object], device: torch.device, repeats: int = REPEATS) -> float:
    """Of one call, the device empty before and after; the first ones not counted."""
    for _ in range(WARMING):
        call()
    return statistics.median(seconds_of(call, device) for _ in range(repeats))


def seconds_of(call: Callable[[], object], device: torch.device) -> float:
    """Of one call, the device empty before and after."""
    drain(device)
    began = time.perf_counter()
    call()
    drain(device)
    return time.perf_counter() - began


def drain(device: torch.device) -> None:
    """Until the device has nothing left to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
