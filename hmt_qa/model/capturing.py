"""Work on a GPU whose kernels are launched all at once: recorded as a CUDA graph, with compiled layers where wanted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from hmt_qa.model.hmt import HMTForCausalLM

logger = logging.getLogger(__name__)

WARMING_RUNS = 2  # libraries allocate and choose kernels in the first ones, which a graph must not record
_ONE_AT_A_TIME = threading.Lock()


class Capture:
    """`work` of fixed shapes on tensors that stay where they are; recorded at the first call on a GPU, then replayed.

    It runs a few times before it is recorded, so running it then must do no harm: see `prepare`. A backbone that cannot
    be recorded or compiled (one that asks the host in between) runs as it is, and the log says why.
    """

    def __init__(self, work: Callable[[], None], model: HMTForCausalLM, *, compiled: bool = False) -> None:
        self._work, self._model = work, model
        self._compiled = compiled
        self._run: Callable[[], None] | None = None

    def __call__(self) -> None:
        """Do the work; on a GPU it is queued on the current stream."""
        self.prepare()
        (self._run or self._work)()

    def prepare(self) -> None:
        """Have it recorded now, at a moment when running it does no harm."""
        if self._run is None and self._model.device.type == "cuda":
            self._run = self._recorded()

    def _recorded(self) -> Callable[[], None]:
        with _ONE_AT_A_TIME:
            try:
                with compiled_layers(self._model) if self._compiled else _as_they_are():
                    return _graph(self._work)
            except Exception as exc:  # neither the compiler's errors nor those of recording share a base class
                torch.cuda.synchronize()
                logger.warning("pass_not_recorded compiled=%s reason=%r", self._compiled, exc)
            if not self._compiled:
                return self._work
            self._compiled = False
        return self._recorded()


def _graph(work: Callable[[], None]) -> Callable[[], None]:
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


@contextmanager
def compiled_layers(model: HMTForCausalLM) -> Iterator[None]:
    """The backbone's layers fused by the compiler while this lasts; a backbone without a list of layers as it is."""
    layers: list[Any] = list(getattr(model.backbone.base_model, "layers", None) or [])
    for layer in layers:
        layer.compile(dynamic=False)
    try:
        yield
    finally:
        for layer in layers:
            layer._compiled_call_impl = None


@contextmanager
def _as_they_are() -> Iterator[None]:
    yield
