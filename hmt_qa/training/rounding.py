"""Trains the weights that ship: matrices rounded to int8 rows while gradients are taken, whole again for the update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.weights import dequantise_rows, quantise_rows


@contextmanager
def rounded(model: HMTForCausalLM, *, when: bool = True) -> Iterator[None]:
    """Every matrix as `hmt_qa.model.weights.save_int8` would store it; the exact weights return afterwards.

    Gradients taken inside are applied to the exact weights: the straight-through estimate.
    """
    matrices = [weight for weight in model.parameters() if weight.ndim == 2] if when else []
    exact = [weight.detach().clone() for weight in matrices]
    with torch.no_grad():
        for weight in matrices:
            weight.copy_(dequantise_rows(*quantise_rows(weight)))
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, kept in zip(matrices, exact, strict=True):
                weight.copy_(kept)
