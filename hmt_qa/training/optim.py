"""Who updates which weight: Muon the backbone's matrices, AdamW the rest; and the learning rate over a run.

Source: Muon as in torch.optim.Muon (momentum, then orthogonalised updates); recipe of ../shared/base/README.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hmt_qa.model.hmt import HMTForCausalLM


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Peak learning rates and what belongs to them.

    matrices: Muon's. others: AdamW's for embeddings and norms. recall: AdamW's for Wq and Wk.
    prompts: AdamW's for T, the initial memory and training-only heads.
    """

    matrices: float = 0.02
    others: float = 4e-3
    recall: float = 1e-3
    prompts: float = 2e-3
    momentum: float = 0.95
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.95)
    warm_up: int = 50
    decay: float = 0.5
    clip: float = 1.0


def factor(rates: Rates, step: int, share: float) -> float:
    """The learning rate at a step as a share of its peak: linear warm-up, then flat, then linear to 0 at share 1."""
    warm = min(1.0, (step + 1) / max(rates.warm_up, 1))
    return warm * min(1.0, max(0.0, 1.0 - share) / max(rates.decay, 1e-9))


def optimizers(
    model: HMTForCausalLM, rates: Rates, *, memory: bool, heads: Iterable[nn.Parameter] = ()
) -> list[Optimizer]:
    """Optimizers whose groups carry their peak rate as `peak`; without `memory` its parameters stay as they are."""
    embeddings = {id(model.get_input_embeddings().weight), id(model.get_output_embeddings().weight)}
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for parameter in model.backbone.parameters():
        (matrices if parameter.ndim == 2 and id(parameter) not in embeddings else others).append(parameter)
    groups = [{"params": others, "peak": rates.others}]
    if memory:
        prompts = [model.memory.summary_prompt_D, model.memory.initial_memory_MD, *heads]
        groups.append({"params": [model.memory.query.weight, model.memory.key.weight], "peak": rates.recall})
        groups.append({"params": prompts, "peak": rates.prompts})
    made = [_muon(matrices, rates), _adam(groups, rates, fused=matrices[0].is_cuda)]
    for group in made[0].param_groups:
        group["peak"] = rates.matrices
    return made


def set_rate(optimizers: Iterable[Optimizer], share_of_peak: float) -> None:
    """Give each group this share of its peak rate."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * share_of_peak


def parameters(optimizers: Iterable[Optimizer]) -> list[Tensor]:
    """All weights that are trained, in a fixed order."""
    return [weight for optimizer in optimizers for group in optimizer.param_groups for weight in group["params"]]


def _muon(matrices: list[nn.Parameter], rates: Rates) -> Optimizer:
    """torch.optim.Muon; raises `RuntimeError` where torch is older than 2.9."""
    kind: Any = getattr(torch.optim, "Muon", None)
    if kind is None:
        raise RuntimeError(f"torch {torch.__version__} has no Muon: training needs torch 2.9 or newer")
    made = kind(matrices, lr=rates.matrices, momentum=rates.momentum, nesterov=True, weight_decay=rates.weight_decay)
    return cast(Optimizer, made)


def _adam(groups: list[dict[str, Any]], rates: Rates, *, fused: bool) -> Optimizer:
    return torch.optim.AdamW(groups, lr=rates.others, betas=rates.betas, weight_decay=rates.weight_decay, fused=fused)
