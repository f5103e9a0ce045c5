"""Work on a GPU whose kernels are launched all at once: recorded as a CUDA graph, with fused layers where wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache

import numpy as np
import torch
from torch import Tensor

from hmt_qa.model.fused import FusedLayers

logger = logging.getLogger(__name__)

WARMING_RUNS = 3  # libraries allocate, compile and choose kernels in the first ones, which a graph must not record
_ONE_AT_A_TIME = threading.Lock()


class Capture:
    """`work` of fixed shapes on tensors that stay where they are; recorded at the first call on a GPU, then replayed.

    It runs a few times before it is recorded, so running it then must do no harm: see `prepare`. What cannot be
    recorded (a backbone that asks the host in between), or not with `fused` layers, runs as it is; the log says why.
    """

    def __init__(self, work: Callable[[], None], device: torch.device, *, fused: FusedLayers | None = None) -> None:
        self._work, self._device, self._fused = work, device, fused
        self._run: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Do the work; on a GPU it is queued on the current stream."""
        self.prepare()
        (self._run or self._work)()

    def prepare(self) -> None:
        """Have it recorded now, at a moment when running it does no harm."""
        if self._run is None and self._device.type == "cuda":
            with _ONE_AT_A_TIME:
                self._run = self._recorded(self._fused)

    def _recorded(self, fused: FusedLayers | None) -> Callable[[], None]:
        try:
            with fused.taking_over() if fused else nullcontext():
                return record(self._work)
        except Exception as exc:  # neither the compiler's errors nor those of recording share a base class
            torch.cuda.synchronize()
            logger.warning("pass_not_recorded fused=%s reason=%r", fused is not None, exc)
            return self._work if fused is None else self._recorded(None)


def record(work: Callable[[], None]) -> Callable[[], None]:
    """A CUDA graph of `work`, to be replayed."""
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(WARMING_RUNS):
            work()
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    # Other threads may go on allocating and copying meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        work()
    return graph.replay


def handed_over(raw: bytes, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Numbers on a GPU, through page-locked memory and on a stream of their own: beside what the device is at."""
    staged = torch.empty(len(raw), dtype=torch.uint8, pin_memory=True)
    staged.numpy()[:] = np.frombuffer(raw, np.uint8)
    with torch.cuda.stream(_carrier(device)):
        arrived = staged.view(dtype).to(device, non_blocking=True)
    torch.cuda.current_stream(device).wait_stream(_carrier(device))
    arrived.record_stream(torch.cuda.current_stream(device))
    return arrived


@cache
def _carrier(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)
