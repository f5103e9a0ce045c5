"""Makes questions about the corpus: a backbone that asks writes them, a checkpoint that reads keeps what it believes.

    python -m hmt_qa.training asker --init BACKBONE --data DIR --work DIR --out ASKER
    python -m hmt_qa.training.made --asker ASKER --reader CHECKPOINT --data DIR --work DIR --out DIR/qa --minutes 2

Each process writes its own `qa_contexts-made-N` and `qa_train-made-N`, found with the other question sets; `--part 1/2`
is the second of two. Passages next to each other make one article, so that there are others to mistake it for.

Shapes: B passages · T tokens, padded · D hidden size · V vocabulary.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any, cast

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from hmt_qa.model import backbone
from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.weights import load_model
from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl
from hmt_qa.training.asking import ANSWER, Asked, asked_of, asking_prompt
from hmt_qa.training.data import TokenStore, generator, open_tokenizer, text_store
from hmt_qa.training.marks import Flags, Marks
from hmt_qa.training.questions import QUESTION_TOKENS

LENGTHS = (96, 224)  # tokens of a passage
ARTICLE = 4  # passages in a row
SPARE = 64  # tokens at most that are left out to begin with a sentence
PROSE = 0.75  # share of tokens that are words, at least: tables and code ask for nothing
TEMPERATURE, TOP_P = 0.9, 0.92
BELIEVED = -1.5  # mean log-probability of the answer's tokens in the reader, at least

logger = logging.getLogger("hmt_qa.training")


@dataclass(frozen=True, slots=True)
class Passage:
    """Token ids of one article's part."""

    article: int
    ids: list[int]


def passages(
    corpus: TokenStore, filings: TokenStore, share: float, marks: Marks, rng: np.random.Generator
) -> Iterator[Passage]:
    """Prose without end: up to ARTICLE passages in a row of a document, each beginning with a sentence.

    Short documents are as likely as long ones. share: of articles that are of the filings.
    """
    longest = ARTICLE * (LENGTHS[1] + SPARE)
    words_V = marks.word_V | marks.letters_V
    for article in range(sys.maxsize):
        store = filings if rng.random() < share else corpus
        rest_T = store.document(int(rng.integers(len(store))))
        start = int(rng.integers(max(len(rest_T) - longest, 0) + 1))
        rest_T = rest_T[start : start + longest]
        while len(rest_T) > SPARE + LENGTHS[0]:
            closing = np.flatnonzero(marks.closes_V[rest_T[:SPARE]])
            rest_T = rest_T[int(closing[0]) + 1 if len(closing) else 0 :]
            length = int(rng.integers(*LENGTHS))
            if _is_prose(rest_T[:length], words_V, marks):
                yield Passage(article, rest_T[:length].tolist())
            rest_T = rest_T[length:]


def _is_prose(ids_T: np.ndarray[Any, Any], words_V: Flags, marks: Marks) -> bool:
    """Words, some with a capital or a digit to ask for, and sentences longer than a line of a list."""
    named = marks.capital_V[ids_T] | marks.digit_V[ids_T]
    return bool(words_V[ids_T].mean() >= PROSE and named.any() and marks.newline_V[ids_T].mean() < 1 - PROSE)


@dataclass(frozen=True)
class Maker:
    """asker: writes answer and question. reader: the checkpoint that must believe the answer."""

    asker: HMTForCausalLM
    reader: HMTForCausalLM
    form: PromptFormat

    def ask(self, batch: Sequence[Passage]) -> list[tuple[Passage, Asked]]:
        """At most one question of each passage."""
        rows = [asking_prompt(self.form, passage.ids) for passage in batch]
        ids_BT, mask_BT = self._left_padded(rows)
        written_BT = cast(Any, self.asker.backbone).generate(
            input_ids=ids_BT,
            attention_mask=mask_BT,
            max_new_tokens=ANSWER + QUESTION_TOKENS // 2,
            do_sample=True,
            temperature=TEMPERATURE,
            top_p=TOP_P,
            top_k=0,
            eos_token_id=self.form.stop[0],
            pad_token_id=self.form.stop[0],
        )[:, ids_BT.shape[1] :]
        found = [
            (passage, asked_of(self.form, passage.ids, written))
            for passage, written in zip(batch, written_BT.tolist(), strict=True)
        ]
        return [(passage, asked) for passage, asked in found if asked is not None]

    def believed(self, made: Sequence[tuple[Passage, Asked]]) -> list[bool]:
        """Whether the reader, given the passage, finds each answer likely."""
        if not made:
            return []
        prompts = [self.form.build([passage.ids], asked.question) for passage, asked in made]
        answers = [[*passage.ids[asked.first : asked.last + 1], self.form.stop[0]] for passage, asked in made]
        rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
        ids_BT = _right_padded(rows).to(self.reader.device)
        initial_MD = self.reader.memory.initial_memory_MD
        embeds_BTD = self.reader.prompt(initial_MD.expand(len(rows), -1, -1), ids_BT)
        hidden_BTD = backbone.last_hidden(self.reader.backbone, embeds_BTD)
        weight_VD = cast(Tensor, self.reader.get_output_embeddings().weight)
        kept = []
        for place, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            first = len(initial_MD) + len(prompt) - 1  # the state before a token predicts it
            logits_AV = (hidden_BTD[place, first : first + len(answer)] @ weight_VD.T).float()
            told_A = torch.tensor(answer, device=logits_AV.device)
            kept.append(-torch.nn.functional.cross_entropy(logits_AV, told_A))
        return (torch.stack(kept) >= BELIEVED).tolist()

    def _left_padded(self, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        width = max(map(len, rows))
        ids_BT = torch.tensor([[self.form.stop[0]] * (width - len(row)) + list(row) for row in rows])
        mask_BT = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids_BT.to(self.asker.device), mask_BT.to(self.asker.device)


def _right_padded(rows: Sequence[Sequence[int]]) -> Tensor:
    width = max(map(len, rows))
    return torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])


def lines(tokenizer: Tokenizer, made: Sequence[tuple[Passage, Asked]], part: int) -> Iterator[tuple[dict, dict]]:  # type: ignore[type-arg]
    """A context and its question in the form of the question sets; what does not spell alike is left out."""
    for number, (passage, asked) in enumerate(made):
        before, answer, text = (
            tokenizer.decode(ids, skip_special_tokens=False)
            for ids in (passage.ids[: asked.first], passage.ids[asked.first : asked.last + 1], passage.ids)
        )
        start = len(before) + len(answer) - len(answer.lstrip())
        answer = answer.strip()
        if not answer or text[start : start + len(answer)] != answer:
            continue
        shared = {"source": "made", "ctx_id": f"made-{part}-{number}"}
        question = tokenizer.decode(asked.question).strip()
        context = shared | {"title": "", "text": text}
        yield (
            context,
            shared
            | {
                "doc_id": f"made-{part}-{passage.article}",
                "question": question,
                "answers": [answer],
                "answer_start": [start],
                "unanswerable": False,
            },
        )


@torch.inference_mode()
def make(options: argparse.Namespace, device: torch.device) -> None:
    """Ask until the time is over, then write what was believed."""
    part, parts = map(int, options.part.split("/"))
    torch.manual_seed(options.seed + part)
    tokenizer = open_tokenizer(options.reader)
    kind = torch.bfloat16 if device.type == "cuda" else torch.float32
    asker, reader = (
        cast(Any, load_model(Checkpoint.open(folder), dtype=kind, attention="sdpa")).to(device).eval()
        for folder in (options.asker, options.reader)
    )
    maker = Maker(asker, reader, PromptFormat.of(tokenizer))
    corpus, filings = (
        text_store(jsonl.find(options.data, pattern), options.work, tokenizer)
        for pattern in ("shard_*.jsonl.zst", "sec_filings*.jsonl.zst")
    )
    rng = generator(options.seed, parts, part)
    drawn = passages(corpus, filings, options.filings, Marks.of(tokenizer), rng)
    made: list[tuple[Passage, Asked]] = []
    tried, asked, begun = 0, 0, monotonic()
    while monotonic() - begun < 60 * options.minutes and tried < options.passages:
        batch = sorted((next(drawn) for _ in range(options.batch)), key=lambda passage: len(passage.ids))
        written = maker.ask(batch)
        kept = maker.believed(written)
        made += [pair for pair, believed in zip(written, kept, strict=True) if believed]
        tried, asked = tried + len(batch), asked + len(written)
        logger.info("passages=%d asked=%d kept=%d seconds=%.0f", tried, asked, len(made), monotonic() - begun)
    made.sort(key=lambda pair: pair[0].article)
    found = list(lines(tokenizer, made, part))
    for name, column in (("contexts", 0), ("train", 1)):
        jsonl.write(options.out / f"qa_{name}-made-{part}.jsonl.zst", (pair[column] for pair in found))
    logger.info("questions_made=%d seconds=%.0f", len(found), monotonic() - begun)


def main(arguments: list[str] | None = None) -> None:
    """See the module's docstring."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m hmt_qa.training.made", description=__doc__.partition("\n")[0])
    for name, told in (
        ("asker", "checkpoint of the stage `asker`"),
        ("reader", "checkpoint that must believe an answer"),
        ("data", "folder with corpus/"),
        ("work", "folder of cached tokens"),
        ("out", "folder the questions are written to"),
    ):
        parser.add_argument(f"--{name}", type=Path, required=True, help=told)
    parser.add_argument("--part", default="0/1", help="N/OF: this process's number and how many there are")
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--passages", type=int, default=sys.maxsize, help="end after so many, at most")
    parser.add_argument("--batch", type=int, default=1024, help="passages that are asked about together")
    parser.add_argument("--filings", type=float, default=0.15, help="share of passages that are of the filings")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    cuda = torch.cuda.is_available()
    part = int(options.part.partition("/")[0])
    make(options, torch.device("cuda", part % torch.cuda.device_count()) if cuda else torch.device("cpu"))


if __name__ == "__main__":
    main()
