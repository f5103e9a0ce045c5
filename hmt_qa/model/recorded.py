"""A question's passes on a GPU, recorded: what it is about, the reading of its evidence, and each token of the answer.

Shapes: P padded prompt · C places of the cache · W padded question · D hidden size · V vocabulary.

Shapes are padded to a few widths, each recorded at its first use. One answer is written at a time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from transformers import StaticCache

from hmt_qa.model import backbone
from hmt_qa.model.capturing import Capture
from hmt_qa.model.hmt import HMTForCausalLM, Segments

PROMPT_STEP = 128
LONGEST_PROMPT = 2048
LONGEST_ANSWER = 512


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a question needs of a model; `writer` is None for a backbone that cannot keep its cache in one place."""

    summary: RecordedSummary
    writer: RecordedWriter | None

    @classmethod
    def of(cls, model: HMTForCausalLM) -> Recorded:
        """Nothing is recorded before its first use."""
        return cls(RecordedSummary(model), RecordedWriter(model) if RecordedWriter.suits(model) else None)


class RecordedSummary:
    """S of one question, by a recorded pass for each width."""

    def __init__(self, model: HMTForCausalLM) -> None:
        self._model = model
        self._passes: dict[int, tuple[Segments, Tensor, Capture]] = {}
        self._lock = threading.Lock()

    def __call__(self, question: Segments) -> Tensor:
        """(1, D), as `HMTForCausalLM.represent` of the whole question."""
        width = question.ids_BW.shape[1]
        with self._lock, torch.inference_mode():
            if width not in self._passes:
                self._passes[width] = self._recorded(question)
            given, summary_1D, run = self._passes[width]
            given.ids_BW.copy_(question.ids_BW)
            given.lengths_B.copy_(question.lengths_B)
            run()
            return summary_1D.clone()

    def _recorded(self, like: Segments) -> tuple[Segments, Tensor, Capture]:
        given = Segments(like.ids_BW.clone(), like.lengths_B.clone())
        model, width = self._model, like.ids_BW.shape[1]
        summary_1D = torch.zeros(1, model.config.hidden_size, dtype=model.dtype, device=model.device)
        return given, summary_1D, Capture(lambda: _keep(summary_1D, model.represent(given, length=width)), model.device)


class RecordedWriter:
    """Greedy continuation of a prompt of embeddings with a cache that stays where it is."""

    def __init__(self, model: HMTForCausalLM) -> None:
        self._model = model
        self._places = LONGEST_PROMPT + LONGEST_ANSWER
        config = cast(Any, model.backbone.config)
        self._cache: Any = StaticCache(config=config, max_cache_len=self._places)
        device, hidden = model.device, model.config.hidden_size
        self._prompt_1PD = torch.zeros(1, LONGEST_PROMPT, hidden, dtype=model.dtype, device=device)
        self._length_1 = torch.ones(1, dtype=torch.long, device=device)
        self._token_1 = torch.zeros(1, dtype=torch.long, device=device)
        self._places_C = torch.arange(self._places, device=device)
        self._prefills: dict[int, Capture] = {}
        self._step = Capture(self._decode, device)
        self._free = threading.Lock()

    @staticmethod
    def suits(model: HMTForCausalLM) -> bool:
        """Whether the backbone can work with a cache of fixed shape."""
        return bool(getattr(model.backbone, "_can_compile_fullgraph", False))

    def write(
        self,
        embeds_1TD: Tensor,
        *,
        max_new_tokens: int,
        stop_ids: Sequence[int],
        otherwise: Callable[[], Generator[int]],
    ) -> Generator[int]:
        """Token ids as they come, a stop id included; by `otherwise` where it is too long or another is written."""
        fits = embeds_1TD.shape[1] <= LONGEST_PROMPT and max_new_tokens <= LONGEST_ANSWER
        if not fits or not self._free.acquire(blocking=False):
            yield from otherwise()
            return
        try:
            yield from self._written(embeds_1TD, max_new_tokens, stop_ids)
        finally:
            self._free.release()

    def _written(self, embeds_1TD: Tensor, most: int, stop_ids: Sequence[int]) -> Generator[int]:
        run = self._begin(embeds_1TD)
        for _ in range(most):
            with torch.inference_mode():
                run()
                token = int(self._token_1)
            yield token
            if token in stop_ids:
                return
            run = self._step

    def _begin(self, embeds_1TD: Tensor) -> Capture:
        length = embeds_1TD.shape[1]
        width = -(-length // PROMPT_STEP) * PROMPT_STEP
        with torch.inference_mode():
            self._step.prepare()  # before there is an answer that its trial runs would go on with
            self._prompt_1PD[:, :length] = embeds_1TD
            self._length_1.fill_(length)
        if width not in self._prefills:
            self._prefills[width] = Capture(lambda: self._prefill(width), self._model.device)
        return self._prefills[width]

    def _prefill(self, width: int) -> None:
        """Read the prompt; what stands behind its last token is overwritten by the answer before anyone looks at it."""
        self._at(torch.zeros_like(self._length_1))
        seen_PC = self._places_C <= self._places_C[:width, None]
        hidden_1PD = self._pass(self._prompt_1PD[:, :width], self._places_C[None, :width], seen_PC)
        last_1D = hidden_1PD[:, self._length_1 - 1][:, 0]
        self._at(self._length_1)
        self._choose(last_1D)

    def _decode(self) -> None:
        """Read the last token and choose the next."""
        embeds_11D = backbone.embed(self._model.backbone, self._token_1[None])
        seen_1C = self._places_C <= self._length_1[:, None]
        hidden_11D = self._pass(embeds_11D, self._length_1[None], seen_1C)
        self._length_1.add_(1)
        self._choose(hidden_11D[:, 0])

    def _pass(self, embeds_1TD: Tensor, positions_1T: Tensor, seen_TC: Tensor) -> Tensor:
        output = self._model.backbone.base_model(
            inputs_embeds=embeds_1TD,
            position_ids=positions_1T,
            attention_mask=seen_TC[None, None],
            past_key_values=self._cache,
            use_cache=True,
            return_dict=True,
        )
        return cast(Tensor, output.last_hidden_state)

    def _choose(self, hidden_1D: Tensor) -> None:
        self._token_1.copy_(backbone.logits(self._model.backbone, hidden_1D).argmax(dim=-1))

    def _at(self, length_1: Tensor) -> None:
        """Have the cache go on at this place."""
        for layer in self._cache.layers:
            if layer.is_initialized:
                layer.cumulative_length.copy_(length_1[0])


def _keep(target: Tensor, value: Tensor) -> None:
    target.copy_(value)
