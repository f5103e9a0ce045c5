"""Times kernels by the device's clock, without the time it takes to launch them: many calls in one CUDA graph."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence

import torch

from hmt_qa.bench.limits import REPEATS, WARMING, median_seconds
from hmt_qa.model.capturing import record

CALLS = 10  # at least, of those timed together on a GPU: to launch a graph takes ten microseconds and more
CACHES = 4  # what is read in turns is so many times the second-level cache: none of it is still there


def copies_beyond_cache(size: int, device: torch.device) -> int:
    """How many tensors of `size` bytes to read in turns so that each comes from memory; 1 on a CPU."""
    if device.type != "cuda":
        return 1
    return min(max(-(-CACHES * torch.cuda.get_device_properties(device).L2_cache_size // size), 1), 256)


def seconds_a_call(
    calls: Sequence[Callable[[], object]], device: torch.device, repeats: int = REPEATS, *, recorded: bool = True
) -> float:
    """Seconds of one of `calls`, which are made in turns: the median of all of them together, divided.

    What cannot be `recorded`, as a gradient cannot, is launched call by call.
    """
    on_gpu = device.type == "cuda"
    if on_gpu:
        calls = [*calls] * -(-CALLS // len(calls))

    def one_by_one() -> None:
        for call in calls:
            call()

    run = record(one_by_one) if on_gpu and recorded else one_by_one
    timed = _median_on_gpu(run, repeats) if on_gpu else median_seconds(run, device, repeats)
    return timed / len(calls)


def _median_on_gpu(run: Callable[[], object], repeats: int) -> float:
    """By the device's own clock."""
    for _ in range(WARMING):
        run()
    times = []
    for _ in range(repeats):
        began, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        began.record()
        run()
        ended.record()
        ended.synchronize()
        times.append(float(began.elapsed_time(ended)) / 1000)
    return statistics.median(times)
