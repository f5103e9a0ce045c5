"""Compiles the backbone's layers, one graph for all of them, and tells when that cannot be done.

Shapes: B rows · T tokens · D hidden size.
"""

from __future__ import annotations

import logging
from typing import Any

import torch

from hmt_qa.model import backbone
from hmt_qa.model.hmt import HMTForCausalLM

logger = logging.getLogger(__name__)

GRAPHS = 64  # variants of one function that may be kept; ours differ in batch and length only
PROBES = ((48, 296), (192, 66), (24, 640))  # of the sizes that are trained on: kernels are chosen by the first


def compile_layers(model: HMTForCausalLM, device: torch.device) -> bool:
    """Compile each layer in place and try it out; where that fails, log why, undo it and return False.

    Names of weights stay as they are.
    """
    layers: Any = getattr(model.backbone.base_model, "layers", None)
    if layers is None:
        logger.warning("layers_not_compiled reason=the backbone has no list of layers")
        return False
    dynamo: Any = torch._dynamo.config
    for limit in ("recompile_limit", "cache_size_limit"):
        if hasattr(dynamo, limit):
            setattr(dynamo, limit, GRAPHS)
    functorch: Any = torch._functorch.config
    if hasattr(functorch, "donated_buffer"):
        functorch.donated_buffer = False  # `Balance` goes through one graph twice
    for layer in layers:
        layer.compile(dynamic=True)
    try:
        for batch, length in PROBES:
            embeds_BTD = torch.randn(batch, length, model.config.hidden_size, device=device, requires_grad=True)
            torch.autograd.backward(backbone.last_hidden(model.backbone, embeds_BTD).sum())
            with torch.no_grad():
                backbone.last_hidden(model.backbone, embeds_BTD.detach())
    except Exception as exc:  # the compiler's errors share no base class
        logger.warning("layers_not_compiled reason=%r", exc)
        for layer in layers:
            layer._compiled_call_impl = None
        return False
    finally:
        model.zero_grad(set_to_none=True)
    return True
