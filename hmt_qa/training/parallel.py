"""One process a GPU: who I am, sums and gathered rows that gradients flow through; a single process needs none of it.

Shapes: R rows of one process · W processes · D width.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Place:
    """This process among `world` processes, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @classmethod
    def join(cls) -> Place:
        """Join the processes that torchrun started; alone where it started none."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available()
        device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(device)
        if world > 1 and not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo", rank=rank, world_size=world)
        return cls(rank, world, device)

    @property
    def first(self) -> bool:
        """Whether this process writes files and logs."""
        return self.rank == 0

    def leave(self) -> None:
        """Take leave of the other processes."""
        if self.world > 1:
            dist.destroy_process_group()

    def wait(self) -> None:
        """Until all processes are here."""
        if self.world > 1:
            dist.all_reduce(torch.zeros(1, device=self.device))
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)

    def sum(self, value: Tensor) -> Tensor:
        """The sum over processes, without gradient."""
        total = value.detach().clone()
        if self.world > 1:
            dist.all_reduce(total)
        return total

    def agreed(self, value: float) -> float:
        """The first process's value."""
        if self.world == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=self.device)
        dist.broadcast(told, src=0)
        return float(told.item())

    def gathered(self, rows_RD: Tensor) -> Tensor:
        """Rows of all processes in the order of their ranks, (W R, D); each has as many. Gradients flow to all."""
        return rows_RD if self.world == 1 else cast(Tensor, cast(Any, _Gathered).apply(rows_RD, self.rank, self.world))

    def mean(self, total: Tensor, count: Tensor) -> Tensor:
        """`total / count` as if all processes were one.

        Scaled by the number of processes, because gradients are averaged over them; 0 where nothing was counted.
        """
        return total * self.world / self.sum(count.to(total.dtype)).clamp(min=1.0)

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Replace each gradient by its mean over processes, all in one transfer."""
        if self.world == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(piece.view_as(gradient))


class _Gathered(torch.autograd.Function):
    """All processes' rows; backwards each process gets what all processes' losses say about its own rows."""

    @staticmethod
    def forward(ctx: Any, rows_RD: Tensor, rank: int, world: int) -> Tensor:
        ctx.rank, ctx.count = rank, rows_RD.shape[0]
        parts = [torch.empty_like(rows_RD) for _ in range(world)]
        dist.all_gather(parts, rows_RD.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        total = gradients[0].contiguous().clone()
        dist.all_reduce(total)
        return total[ctx.rank * ctx.count : (ctx.rank + 1) * ctx.count], None, None
