"""Losses as sums, so that they can be averaged over all processes; whole-vocabulary logits exist only in pieces.

Shapes: R rows (tokens) · V vocabulary · D hidden size · Q questions · M memories to choose from · E teacher's width.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

IGNORED = -100
PIECE = 16_384  # rows whose logits exist at once: 16,384 x 16,384 in bf16 are 0.5 GB


def token_loss(hidden_RD: Tensor, weight_VD: Tensor, labels_R: Tensor, *, piece: int = PIECE) -> tuple[Tensor, Tensor]:
    """Sum of next-token losses in nats (float32) and how many rows carry a label.

    Logits are computed piece by piece and again for the gradient, never all at once.
    """
    total = hidden_RD.new_zeros((), dtype=torch.float32)
    for hidden, labels in zip(hidden_RD.split(piece), labels_R.split(piece), strict=True):
        if torch.is_grad_enabled():
            total = total + cast(Tensor, checkpoint(_piece_loss, hidden, weight_VD, labels, use_reentrant=False))
        else:
            total = total + _piece_loss(hidden, weight_VD, labels)
    return total, (labels_R != IGNORED).sum()


def _piece_loss(hidden_RD: Tensor, weight_VD: Tensor, labels_R: Tensor) -> Tensor:
    kind = torch.bfloat16 if hidden_RD.is_cuda else hidden_RD.dtype
    logits_RV = functional.linear(hidden_RD.to(kind), weight_VD.to(kind)).float()
    return functional.cross_entropy(logits_RV, labels_R, ignore_index=IGNORED, reduction="sum")


def contrast_loss(scores_QM: Tensor, positive_QM: Tensor, allowed_QM: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of -log of the softmax weight on the positives among the allowed, and how many questions have a positive.

    A question without positives costs nothing. Positives count as allowed.
    """
    lowest = torch.finfo(scores_QM.dtype).min
    asked_Q = positive_QM.any(dim=1)
    all_Q = scores_QM.masked_fill(~(allowed_QM | positive_QM), lowest).logsumexp(dim=1)
    positive_Q = scores_QM.masked_fill(~positive_QM, lowest).logsumexp(dim=1)
    return torch.where(asked_Q, all_Q - positive_Q, 0.0).sum(), asked_Q.sum()


def likeness_loss(made_RE: Tensor, wanted_RE: Tensor, valid_R: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of 1 - cosine to the teacher's vectors over valid rows, and how many there are."""
    lost_R = 1 - functional.cosine_similarity(made_RE.float(), wanted_RE.float(), dim=1)
    return (lost_R * valid_R).sum(), valid_R.sum()


def agreement_loss(
    scores_QM: Tensor, teacher_QM: Tensor, allowed_QM: Tensor, valid_Q: Tensor, *, temperature: float
) -> tuple[Tensor, Tensor]:
    """Sum of KL(teacher's softmax || ours) over the allowed memories, and how many questions count."""
    lowest = torch.finfo(scores_QM.dtype).min
    ours_QM = scores_QM.masked_fill(~allowed_QM, lowest).log_softmax(dim=1)
    theirs_QM = (teacher_QM / temperature).masked_fill(~allowed_QM, lowest).log_softmax(dim=1)
    lost_Q = (theirs_QM.exp() * (theirs_QM - ours_QM)).masked_fill(~allowed_QM, 0.0).sum(dim=1)
    return torch.where(valid_Q, lost_Q, 0.0).sum(), valid_Q.sum()
