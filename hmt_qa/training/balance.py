"""Keeps one group of losses from drowning another: its gradient on the backbone gets a fixed relative norm.

Recall's contrast has gradients tens of times those of language; without this the backbone would forget the latter.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.training.parallel import Place

SMOOTHING = 0.5  # how much of the last factor is kept when it is measured anew


class Balance(nn.Module):
    """factor: what the second group of losses is multiplied by; count: steps taken. Both belong to a run's state."""

    factor: Tensor
    count: Tensor

    def __init__(self, model: HMTForCausalLM, ratio: float, every: int) -> None:
        super().__init__()
        self._ratio, self._every = ratio, every
        # tuples, so that the weights are not registered as this module's own
        self._backbone = tuple(model.backbone.parameters())
        self._memory = tuple(model.memory.parameters())
        self.register_buffer("factor", torch.ones(()))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))
        self._steps: int | None = None

    def backward(self, first: Tensor, second: Tensor, place: Place) -> None:
        """Accumulate the gradients of `first + factor * second`, measuring the factor now and then."""
        steps = int(self.count.item()) if self._steps is None else self._steps
        if steps % self._every:
            torch.autograd.backward(first + self.factor * second)
        else:
            self._measure(first, second, place, fresh=steps == 0)
        self._steps = steps + 1
        self.count.fill_(steps + 1)

    def _measure(self, first: Tensor, second: Tensor, place: Place, *, fresh: bool) -> None:
        torch.autograd.backward(first, retain_graph=True)
        before = self._flat()
        torch.autograd.backward(second)
        added = self._flat() - before
        own = sum(weight.numel() for weight in self._backbone)
        norms = [cast(Tensor, (place.sum(part[:own]) / place.world).norm()) for part in (before, added)]
        wanted = self._ratio * norms[0] / norms[1].clamp(min=1e-12)
        if bool(torch.isfinite(wanted)):
            kept = 0.0 if fresh else SMOOTHING
            self.factor.copy_(kept * self.factor + (1 - kept) * wanted)
        weights = (*self._backbone, *self._memory)
        correction = (self.factor - 1) * added
        for weight, part in zip(weights, correction.split([weight.numel() for weight in weights]), strict=True):
            if weight.grad is not None:
                weight.grad.add_(part.view_as(weight))

    def _flat(self) -> Tensor:
        weights = (*self._backbone, *self._memory)
        grads = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in weights]
        return torch.cat([gradient.flatten() for gradient in grads])
