"""Stage 1: a backbone from scratch on joined documents, as ../shared/base/README.md says.

Shapes: B windows · T tokens · D hidden size · V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.optim import Optimizer

from hmt_qa.model import backbone
from hmt_qa.model.config import HMTConfig
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl
from hmt_qa.training.asking import asking_lines
from hmt_qa.training.data import Ids, Places, TokenStore, cached, text_store, write_store
from hmt_qa.training.losses import token_loss
from hmt_qa.training.optim import optimizers
from hmt_qa.training.parallel import Place
from hmt_qa.training.questions import ANSWER_TOKENS, UNKNOWN, QuestionSets
from hmt_qa.training.recipes import Base

PASSAGE_TOKENS = 800  # 3,200 characters


@dataclass(frozen=True, slots=True)
class BaseBatch:
    """ids_BT: windows with one token more than is predicted."""

    ids_BT: Tensor

    @property
    def tokens(self) -> int:
        """Tokens predicted."""
        return self.ids_BT.shape[0] * (self.ids_BT.shape[1] - 1)


class Windows:
    """Stores cut into windows; each pass takes all of them in another order."""

    def __init__(self, stores: Sequence[TokenStore], length: int, seed: int) -> None:
        self._stores = stores
        self._length = length
        self._seed = seed
        self._ends = np.cumsum([max((len(store.tokens_T) - 1) // length, 0) for store in stores])
        self._order = lru_cache(maxsize=2)(self._shuffled)

    def __len__(self) -> int:
        return int(self._ends[-1])

    def window(self, number: int) -> Ids:
        """Window `number` of an endless sequence, (T + 1,)."""
        place = int(self._order(number // len(self))[number % len(self)])
        return self.at(place)

    def at(self, place: int) -> Ids:
        """The window at a place of the stores, in their order."""
        store = int(np.searchsorted(self._ends, place, side="right"))
        start = (place - (int(self._ends[store - 1]) if store else 0)) * self._length
        return self._stores[store].tokens_T[start : start + self._length + 1]

    def _shuffled(self, turn: int) -> Places:
        return np.random.default_rng((self._seed, turn)).permutation(len(self))


class BaseStage:
    """Implements `hmt_qa.training.loop.Stage`."""

    def __init__(
        self, model: HMTForCausalLM, recipe: Base, place: Place, *, data: Path, work: Path, tokenizer: Tokenizer
    ):
        self.model: Any = model
        self.extra: nn.Module | None = None
        self.optimizers: list[Optimizer] = optimizers(model, recipe.run.rates, memory=False)
        self._recipe, self._place = recipe, place
        if recipe.asking:
            stores = [asking_lines(data, work, tokenizer)]
        else:
            patterns = ["shard_*.jsonl.zst", *(["sec_filings*.jsonl.zst"] if recipe.filings else [])]
            texts = [text_store(jsonl.find(data, pattern), work, tokenizer) for pattern in patterns]
            stores = [*texts, question_lines(data, work, tokenizer)]
        self._windows = Windows(stores, recipe.length, recipe.run.seed)
        held_out = text_store(jsonl.find(data, "valid.jsonl.zst"), work, tokenizer)
        self._held_out = Windows([held_out], recipe.length, 0)

    def begin(self) -> None:
        """Nothing to measure."""

    def batch(self, step: int, share: float) -> BaseBatch:
        """The next windows of the sequence; every process takes its own."""
        rows = self._recipe.rows
        first = (step * self._place.world + self._place.rank) * rows
        return _stacked([self._windows.window(first + row) for row in range(rows)])

    def step(self, batch: BaseBatch) -> dict[str, Tensor]:
        """Next-token loss."""
        loss = self._place.mean(*self._loss(batch.ids_BT))
        torch.autograd.backward(loss)
        return {"loss": loss.detach()}

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Nats a token on held-out documents."""
        count = min(self._recipe.validation_windows, len(self._held_out))
        mine = range(self._place.rank, count, self._place.world)
        sums = torch.zeros(2, device=self._place.device, dtype=torch.float64)
        for start in range(0, len(mine), self._recipe.rows):
            ids_BT = _stacked([self._held_out.at(place) for place in mine[start : start + self._recipe.rows]]).ids_BT
            sums += torch.stack([value.double() for value in self._loss(ids_BT.to(self._place.device))])
        total, tokens = self._place.sum(sums).tolist()
        return {"valid": total / max(tokens, 1.0)}

    def _loss(self, ids_BT: Tensor) -> tuple[Tensor, Tensor]:
        embeds_BTD = backbone.embed(self.model.backbone, ids_BT[:, :-1])
        hidden_BTD = backbone.last_hidden(self.model.backbone, embeds_BTD)
        weight_VD = cast(Tensor, self.model.get_output_embeddings().weight)
        return token_loss(hidden_BTD.flatten(0, 1), weight_VD, ids_BT[:, 1:].flatten())


def fresh(like: HMTConfig, seed: int) -> HMTForCausalLM:
    """A new model of this shape: normal with 0.02, residual outputs smaller by sqrt(2 x layers)."""
    torch.manual_seed(seed)
    config: Any = HMTConfig.from_dict(like.to_dict())
    config.memory_trained = False
    model = HMTForCausalLM(config)
    shape: Any = config.backbone_config
    with torch.no_grad():
        for name, weight in model.backbone.named_parameters():
            if weight.ndim == 2:
                residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * shape.num_hidden_layers) ** 0.5 if residual else 0.02)
    return model


def question_lines(data: Path, work: Path, tokenizer: Tokenizer) -> TokenStore:
    """Every answerable question behind its passage, cut to PASSAGE_TOKENS round the answer, as a document."""
    name = jsonl.named(jsonl.find(data, "qa_contexts*.jsonl.zst", "qa_train*.jsonl.zst"))
    form = PromptFormat.of(tokenizer)

    def documents() -> Iterator[Ids]:
        sets = QuestionSets.open(data, work, tokenizer)
        for number in range(len(sets.context_Q)):
            if not sets.unanswerable_Q[number]:
                ids_T = sets.context(int(sets.context_Q[number]))
                first = int(sets.answer_span_Q2[number, 0])
                start = max(0, min(first - PASSAGE_TOKENS // 2, len(ids_T) - PASSAGE_TOKENS)) if first != UNKNOWN else 0
                passage = ids_T[start : start + PASSAGE_TOKENS].tolist()
                answer = sets.answer_ids(number).tolist()[:ANSWER_TOKENS]
                line = form.build([passage], sets.question(number).tolist()) + answer
                yield np.array(line, dtype=np.uint16)

    return cached(work / f"lines-{name}", lambda folder: write_store(folder, documents()))


def _stacked(rows: list[Ids]) -> BaseBatch:
    return BaseBatch(torch.from_numpy(np.stack(rows).astype(np.int64)))
