"""A backbone's layers as few, large products with everything between them compiled into one kernel each.

For layers of Llama's kind: RMS norms, rotary positions, grouped causal attention, a gated feed-forward part, no biases;
Qwen3's norms of queries and keys where there are any. Beside `backbone` the only file that knows such models' insides.

Shapes: B rows · T tokens · D hidden size · H heads · G heads of keys and values · E numbers a head.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu
from transformers import PreTrainedModel
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from hmt_qa.model import backbone

KINDS = frozenset({"llama", "qwen3"})
AGREEMENT = 0.999
"""Least cosine of hidden states with the backbone's own, in its number format; else they are not used."""

Weights = tuple[Tensor, Tensor, Tensor | None, Tensor | None, Tensor, Tensor, Tensor, Tensor]


class FusedLayers:
    """Last hidden states of one backbone, compiled for each shape at its first use; no gradient, no cache.

    The backbone's own weights become views of the joined ones, so that nothing is held twice.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        inner: Any = model.base_model
        self._inner = inner
        first = inner.layers[0]
        config: Any = model.config
        size = int(getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads)
        attend = ALL_ATTENTION_FUNCTIONS[config._attn_implementation]
        layer = partial(
            _layer,
            attend=partial(attend, first.self_attn, attention_mask=None, scaling=first.self_attn.scaling),
            heads=(config.num_attention_heads, config.num_key_value_heads, size),
            epsilon=float(config.rms_norm_eps),
        )
        self._layer = torch.compile(layer, dynamic=False)
        self._weights = [_joined(one) for one in inner.layers]

    @classmethod
    def of(cls, model: PreTrainedModel) -> FusedLayers | None:
        """Of a backbone of a known kind whose own hidden states they reproduce; else None."""
        config: Any = model.config
        if config.model_type not in KINDS or any(linear.bias is not None for linear in _products(model)):
            return None
        fused = cls(model)
        embeds_1TD = torch.randn(1, 16, config.hidden_size, device=model.device, dtype=model.dtype)
        with torch.inference_mode():
            own, other = backbone.last_hidden(model, embeds_1TD), fused(embeds_1TD)
        return fused if float(torch.cosine_similarity(own.float(), other.float(), dim=-1).min()) > AGREEMENT else None

    def __call__(self, embeds_BTD: Tensor) -> Tensor:
        """Hidden states after the final norm, (B, T, D)."""
        places_1T = torch.arange(embeds_BTD.shape[1], device=embeds_BTD.device)[None]
        turns = self._inner.rotary_emb(embeds_BTD, places_1T)
        hidden_BTD, added_BTD = embeds_BTD, torch.zeros_like(embeds_BTD)
        with _steady():
            for weights in self._weights:
                hidden_BTD, added_BTD = self._layer(hidden_BTD, added_BTD, *turns, *weights)
        normed_BTD: Tensor = self._inner.norm(hidden_BTD + added_BTD)
        return normed_BTD

    @contextmanager
    def taking_over(self) -> Iterator[None]:
        """Passes of this thread go through these layers while it lasts."""
        with backbone.layers_by(self._inner, self):
            yield


def _layer(
    x_BTD: Tensor,
    added_BTD: Tensor,
    cos_1TE: Tensor,
    sin_1TE: Tensor,
    *weights: Any,
    attend: Any,
    heads: tuple[int, int, int],
    epsilon: float,
) -> tuple[Tensor, Tensor]:
    """A layer's result, as two terms whose sum belongs to the norm of the next one."""
    before_D, w_qkv, query_E, key_E, w_out, between_D, w_gate_up, w_down = weights
    queries, groups, size = heads
    x_BTD = x_BTD + added_BTD
    parts = linear(_normed(x_BTD, before_D, epsilon), w_qkv).split([queries * size, groups * size, groups * size], -1)
    q_BTHE, k_BTGE, v_BTGE = (part.unflatten(-1, (-1, size)) for part in parts)
    if query_E is not None:
        q_BTHE, k_BTGE = _normed(q_BTHE, query_E, epsilon), _normed(k_BTGE, key_E, epsilon)
    q_BHTE, k_BGTE = (_turned(one.transpose(1, 2), cos_1TE, sin_1TE) for one in (q_BTHE, k_BTGE))
    seen_BTHE, _ = attend(query=q_BHTE, key=k_BGTE, value=v_BTGE.transpose(1, 2), is_causal=True)
    x_BTD = x_BTD + linear(seen_BTHE.flatten(2), w_out)
    gate_BTF, up_BTF = linear(_normed(x_BTD, between_D, epsilon), w_gate_up).chunk(2, -1)
    return x_BTD, linear(silu(gate_BTF) * up_BTF, w_down)


def _normed(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    exact = x.to(torch.promote_types(x.dtype, torch.float32))
    return weight * (exact * torch.rsqrt(exact.pow(2).mean(-1, keepdim=True) + epsilon)).to(x.dtype)


def _turned(x_BHTE: Tensor, cos_1TE: Tensor, sin_1TE: Tensor) -> Tensor:
    first, second = x_BHTE.chunk(2, -1)
    return x_BHTE * cos_1TE[:, None] + torch.cat([-second, first], -1) * sin_1TE[:, None]


def _joined(layer: Any) -> Weights:
    attention, forward = layer.self_attn, layer.mlp
    query, key = (getattr(getattr(attention, name, None), "weight", None) for name in ("q_norm", "k_norm"))
    return (
        layer.input_layernorm.weight,
        _one(attention.q_proj, attention.k_proj, attention.v_proj),
        query,
        key,
        attention.o_proj.weight,
        layer.post_attention_layernorm.weight,
        _one(forward.gate_proj, forward.up_proj),
        forward.down_proj.weight,
    )


def _one(*products: nn.Linear) -> Tensor:
    """The weights of several products of one input, below each other."""
    whole = torch.cat([product.weight.detach() for product in products])
    for product, part in zip(products, whole.split([product.out_features for product in products]), strict=True):
        product.weight.data = part
    return whole


def _products(model: PreTrainedModel) -> Iterator[nn.Linear]:
    return (module for module in model.base_model.modules() if isinstance(module, nn.Linear))


@contextmanager
def _steady() -> Iterator[None]:
    """No choice among kernels by how long they took: another process must get the same bits."""
    settings: Any = torch._inductor.config
    wanted = {name: True for name in ("deterministic",) if hasattr(settings, name)}
    with settings.patch(wanted):
        yield
