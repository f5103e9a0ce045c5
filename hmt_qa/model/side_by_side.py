"""Prompts read side by side: how each would begin to answer, and what each thinks of given answers.

Knows tensors; which answer is taken is decided elsewhere, from these numbers.

Shapes: B prompts · T tokens, padded on the left · Q tokens of a row's answers, padded · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import pad

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.prompts import Prompt, ended, left_padded

Ids = Sequence[int]


@dataclass(frozen=True, slots=True)
class Begun:
    """The greedy beginning of one answer, its stop id included, and how likely the prompt would rather refuse, 0 to 1.

    The mark of a refusal is never written: what would be said instead is wanted.
    """

    ids: tuple[int, ...]
    refusal: float


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Prompts that were read, with what each began to write; `weigh` goes on from their common cache."""

    model: HMTForCausalLM
    begun: tuple[Begun, ...]
    cache: Any
    mask_BT: Tensor
    first_BV: Tensor

    @classmethod
    @torch.inference_mode()
    def read(
        cls, model: HMTForCausalLM, prompts: Sequence[Prompt], *, most: int, stop_ids: Ids, refusal: int
    ) -> SideBySide:
        """Read all prompts in one pass and let each write up to `most` tokens."""
        embeds_BTD, mask_BT = left_padded(model, prompts)
        written = cast(Any, model.backbone).generate(
            inputs_embeds=embeds_BTD,
            attention_mask=mask_BT,
            max_new_tokens=most,
            do_sample=False,
            eos_token_id=list(stop_ids),
            pad_token_id=stop_ids[0],
            suppress_tokens=[refusal],
            return_dict_in_generate=True,
            output_logits=True,
        )
        first_BV = written.logits[0].float().log_softmax(dim=-1)
        begun = [
            Begun(ended(ids, stop_ids), rather)
            for ids, rather in zip(written.sequences.tolist(), first_BV[:, refusal].exp().tolist(), strict=True)
        ]
        return cls(model, tuple(begun), written.past_key_values, mask_BT, first_BV)

    @torch.inference_mode()
    def weigh(self, answers: Sequence[Sequence[Ids]]) -> list[list[float]]:
        """Log-probability (nats) of each whole answer behind its prompt; `answers` are given for each prompt.

        One pass over the tokens of all answers. Once only: the cache then holds them too.
        """
        totals = [self.first_BV[row, [answer[0] for answer in of]].tolist() for row, of in enumerate(answers)]
        steps = [
            [(owner, place) for owner, answer in enumerate(of) for place in range(len(answer) - 1)] for of in answers
        ]
        if any(steps):
            for total, logs_Q, of in zip(totals, self._following(answers, steps), steps, strict=True):
                for (owner, _), log in zip(of, logs_Q, strict=False):
                    total[owner] += log
        return totals

    def _following(
        self, answers: Sequence[Sequence[Ids]], steps: Sequence[Sequence[tuple[int, int]]]
    ) -> list[list[float]]:
        """Log-probabilities of the tokens that follow each step's (owner, place), (B, Q)."""
        width = max(map(len, steps))

        def rows(values: Sequence[Sequence[int]], empty: int = 0) -> Tensor:
            filled = [[*row, *[empty] * (width - len(row))] for row in values]
            return torch.tensor(filled, device=self.model.device)

        read = zip(answers, steps, strict=True)
        pairs = [[(of[owner][place], of[owner][place + 1]) for owner, place in taken] for of, taken in read]
        output = self.model.backbone(
            input_ids=rows([[now for now, _ in row] for row in pairs]),
            attention_mask=self._seen(rows([[owner for owner, _ in taken] for taken in steps], empty=-1)),
            position_ids=self.mask_BT.sum(1, keepdim=True) + rows([[place for _, place in taken] for taken in steps]),
            past_key_values=self.cache,
        )
        next_BQ = rows([[after for _, after in row] for row in pairs])
        logs_BQV = output.logits.float().log_softmax(dim=-1)
        return cast("list[list[float]]", logs_BQV.gather(2, next_BQ[..., None])[..., 0].tolist())

    def _seen(self, owner_BQ: Tensor) -> Tensor:
        """What each token may look at, bool (B, 1, Q, cached + Q): the prompt, and its own answer up to itself."""
        own_BQQ = (owner_BQ[:, :, None] == owner_BQ[:, None]).tril()
        written = self.cache.get_seq_length() - self.mask_BT.shape[1]
        prompt_BS = pad(self.mask_BT.bool(), (0, written))
        prompt_BQS = prompt_BS[:, None].expand(-1, owner_BQ.shape[1], -1)
        return torch.cat([prompt_BQS, own_BQQ], dim=-1)[:, None]
