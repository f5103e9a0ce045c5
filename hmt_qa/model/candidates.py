"""Several prompts read side by side: how each would begin to answer, and what each thinks of the others' answers.

Knows tensors; which answer is taken is decided elsewhere, from these numbers.

Shapes: B prompts · T tokens, padded on the left · N tokens written · A answers · Q tokens of them all · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.prompts import Prompt, left_padded


@dataclass(frozen=True, slots=True)
class Begun:
    """The greedy beginning of one answer, its stop id included, and how likely the prompt would rather refuse, 0 to 1.

    The mark of a refusal is never written: what would be said instead is wanted. log_probabilities: of each id (nats).
    """

    ids: tuple[int, ...]
    log_probabilities: tuple[float, ...]
    refusal: float


@dataclass(frozen=True, slots=True)
class ReadTogether:
    """Prompts that were read, with what they began to write; `weigh` goes on from their common cache."""

    model: HMTForCausalLM
    begun: tuple[Begun, ...]
    cache: Any
    mask_BT: Tensor
    first_BV: Tensor

    @classmethod
    @torch.inference_mode()
    def of(
        cls, model: HMTForCausalLM, prompts: Sequence[Prompt], *, most: int, stop_ids: Sequence[int], refusal: int
    ) -> ReadTogether:
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
        logs_BNV = torch.stack(written.logits, dim=1).float().log_softmax(dim=-1)
        chosen_BN = logs_BNV.gather(2, written.sequences[..., None])[..., 0]
        begun = [
            _begun(ids, chosen, rather, stop_ids)
            for ids, chosen, rather in zip(
                written.sequences.tolist(), chosen_BN.tolist(), logs_BNV[:, 0, refusal].exp().tolist(), strict=True
            )
        ]
        return cls(model, tuple(begun), written.past_key_values, mask_BT, logs_BNV[:, 0])

    @torch.inference_mode()
    def weigh(self, answers: Sequence[Sequence[int]]) -> Tensor:
        """Log-probability (nats) of each whole answer behind each prompt, (B, A); one pass over all answers' tokens.

        Once: the cache then holds the answers too.
        """
        device = self.model.device
        first_A = torch.tensor([answer[0] for answer in answers], device=device)
        total_BA = self.first_BV[:, first_A].clone()
        read = [(number, place) for number, answer in enumerate(answers) for place in range(len(answer) - 1)]
        if not read:
            return total_BA
        owner_Q, place_Q = torch.tensor(read, device=device).unbind(1)
        ids_Q = torch.tensor([answers[number][place] for number, place in read], device=device)
        next_Q = torch.tensor([answers[number][place + 1] for number, place in read], device=device)
        output = self.model.backbone(
            input_ids=ids_Q.expand(len(total_BA), -1),
            attention_mask=self._seen(owner_Q),
            position_ids=self.mask_BT.sum(1, keepdim=True) + place_Q,
            past_key_values=self.cache,
        )
        logs_BQV = output.logits.float().log_softmax(dim=-1)
        logs_BQ = logs_BQV.gather(2, next_Q.expand(len(total_BA), -1)[..., None])[..., 0]
        return total_BA.index_add(1, owner_Q, logs_BQ)

    def _seen(self, owner_Q: Tensor) -> Tensor:
        """What each token may look at, bool (B, 1, Q, cached + Q): the prompt, and its own answer up to itself."""
        rows, tokens = len(self.mask_BT), len(owner_Q)
        own_QQ = (owner_Q[:, None] == owner_Q).tril()
        written = self.cache.get_seq_length() - self.mask_BT.shape[1]
        prompt_BS = torch.nn.functional.pad(self.mask_BT.bool(), (0, written))
        return torch.cat([prompt_BS[:, None, None].expand(-1, -1, tokens, -1), own_QQ.expand(rows, 1, -1, -1)], dim=-1)


def _begun(ids: list[int], logs: list[float], refusal: float, stop_ids: Sequence[int]) -> Begun:
    end = next((place for place, token in enumerate(ids, 1) if token in stop_ids), len(ids))
    return Begun(tuple(ids[:end]), tuple(logs[:end]), refusal)
