"""Batches of a stage, made ahead in processes of their own; knows no model and no loss.

A batch depends on its step and on the share of the run that is over when it is made. With workers that share is a few
steps old: only what changes by share (a curriculum, the teacher's end) comes that much later.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

B = TypeVar("B")
AHEAD = 2  # batches each worker has ready
TIMEOUT = 300  # seconds after which a worker that gives nothing is an error


class Feed(Dataset[B], Generic[B]):
    """Step numbers to batches.

    Args:
        make: the batch of a step, given the share of the run that is over. share: that share, by step and seconds.
        steps: first and last step (not included). workers: processes; none makes batches where they are used.
    """

    def __init__(
        self,
        make: Callable[[int, float], B],
        share: Callable[[int, float], float],
        *,
        steps: tuple[int, int],
        workers: int,
        pinned: bool,
    ) -> None:
        self._make, self._share, self._steps = make, share, steps
        self._seconds = multiprocessing.get_context("fork").Value("d", 0.0)
        self._workers, self._pinned = workers, pinned

    def __getitem__(self, step: int) -> B:
        """The batch of one step."""
        return self._make(step, self._share(step, self._seconds.value))

    def __iter__(self) -> Iterator[B]:
        """All batches in the order of their steps."""
        loader: DataLoader[Any] = DataLoader(
            self,
            batch_size=None,
            sampler=range(*self._steps),
            num_workers=self._workers,
            prefetch_factor=AHEAD if self._workers else None,
            multiprocessing_context="fork" if self._workers else None,
            collate_fn=_unchanged,
            worker_init_fn=_alone,
            timeout=TIMEOUT if self._workers else 0,
        )
        for batch in loader:
            yield mapped(batch, Tensor.pin_memory) if self._pinned else batch

    def tell(self, seconds: float) -> None:
        """How long the run has taken: what is made from now on knows it."""
        self._seconds.value = seconds


def mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same dataclass or tuple with every tensor in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, tuple):
        return tuple(mapped(part, change) for part in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{entry.name: mapped(getattr(value, entry.name), change) for entry in fields(value)})
    return value


def moved(batch: B, device: torch.device) -> B:
    """The same batch on a device, copied without waiting where its memory is pinned."""
    made: B = mapped(batch, lambda tensor: tensor.to(device, non_blocking=True))
    return made


def _unchanged(batch: Any) -> Any:
    return batch


def _alone(_: int) -> None:
    """One thread a worker: there are as many workers as cores to spare."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    torch.set_num_threads(1)
