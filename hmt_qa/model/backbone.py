"""What is asked of a Hugging Face model: embeddings, last hidden states, generation. See also `fused`.

Shapes: B batch · T tokens · D hidden size · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.generation.streamers import BaseStreamer

_taken_over: ContextVar[tuple[nn.Module, Callable[[Tensor], Tensor]] | None] = ContextVar("taken_over", default=None)


def build_backbone(config: PreTrainedConfig, *, attention: str | None = None) -> PreTrainedModel:
    """A causal language model of this shape with freshly initialised weights."""
    keywords = {} if attention is None else {"attn_implementation": attention}
    return cast(PreTrainedModel, AutoModelForCausalLM.from_config(config, **keywords))


def position_limit(config: PreTrainedConfig) -> int | None:
    """Longest sequence the backbone has learned positions for, or None where positions are computed or absent.

    Rotary and recurrent models extrapolate without failing; only learned position tables (OPT, GPT-2) end hard.
    """
    if config.model_type in {"opt", "gpt2", "gpt_neo", "biogpt", "xglm"}:
        return int(config.max_position_embeddings)
    return None


def embed(model: PreTrainedModel, ids_BT: Tensor) -> Tensor:
    """Input embeddings E(x) of token ids, (B, T, D)."""
    return cast(Tensor, model.get_input_embeddings()(ids_BT))


def look_up(model: PreTrainedModel, *ids: Tensor) -> tuple[Tensor, list[Tensor]]:
    """A table of embeddings, (rows, D), and where in it each of these ids is.

    The backbone's own table, unless embedding is more than looking up (Gemma scales) or a gradient is wanted (the
    module is called then, with all that training hangs on it): a table of just these ids.
    """
    embedding = model.get_input_embeddings()
    if type(embedding) is nn.Embedding and not torch.is_grad_enabled():
        return embedding.weight, list(ids)
    flat_T = torch.cat([one.flatten() for one in ids])
    places = torch.arange(len(flat_T), device=flat_T.device).split([one.numel() for one in ids])
    return embed(model, flat_T), [place_T.view(one.shape) for place_T, one in zip(places, ids, strict=True)]


def last_hidden(model: PreTrainedModel, embeds_BTD: Tensor) -> Tensor:
    """Hidden states after the final norm, (B, T, D), causal, positions from 0; neither LM head nor KV cache runs.

    No attention mask is passed: padding stands only on the right, where causality already hides it. Backbones that
    keep their residual stream in float32 (Mamba) are brought back to the embeddings' narrower format.
    """
    taken = _taken_over.get()
    if taken is not None and taken[0] is model.base_model:
        return taken[1](embeds_BTD)
    output = model.base_model(inputs_embeds=embeds_BTD, use_cache=False, return_dict=True)
    hidden_BTD = cast(Tensor, output.last_hidden_state)
    return hidden_BTD.to(embeds_BTD.dtype) if hidden_BTD.element_size() > embeds_BTD.element_size() else hidden_BTD


@contextmanager
def layers_by(inner: nn.Module, layers: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """While this lasts, `last_hidden` of this base model is computed by `layers`, in this thread."""
    token = _taken_over.set((inner, layers))
    try:
        yield
    finally:
        _taken_over.reset(token)


def logits(model: PreTrainedModel, hidden_BTD: Tensor) -> Tensor:
    """Next-token logits, (B, T, V), from hidden states after the final norm."""
    scores_BTV = model.get_output_embeddings()(hidden_BTD)
    cap = getattr(model.config, "final_logit_softcapping", None)
    return cast(Tensor, scores_BTV if not cap else torch.tanh(scores_BTV / cap) * cap)


def generate(
    model: PreTrainedModel,
    embeds_1TD: Tensor,
    *,
    max_new_tokens: int,
    stop_ids: Sequence[int],
    pad_id: int,
    streamer: BaseStreamer | None = None,
    repetition_penalty: float = 1.0,
    stopping: Any = None,
) -> Tensor:
    """Greedy continuation of a prompt given as embeddings; returns the new ids, (new,), without the prompt."""
    ids_1T = cast(Any, model).generate(
        inputs_embeds=embeds_1TD,
        attention_mask=torch.ones(embeds_1TD.shape[:2], dtype=torch.long, device=embeds_1TD.device),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        eos_token_id=list(stop_ids),
        pad_token_id=pad_id,
        repetition_penalty=repetition_penalty,
        streamer=streamer,
        stopping_criteria=stopping,
    )
    return cast(Tensor, ids_1T[0])
