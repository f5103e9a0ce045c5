"""Chooses `answer_beams` and `refuses_from` on questions set apart from training, and writes them into a checkpoint.

    python -m hmt_qa.evaluation.tuning --data HELD_OUT --model CHECKPOINT [--limit N] [--lacking 0.8] [--dry-run]

HELD_OUT is what `hmt_qa.training.holding_out` sets apart, never a development set. More beams are taken where they
answer better; then the highest threshold at which passages that lack the answer are still refused often enough.

Shapes: B prompts · V vocabulary.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import torch

from hmt_qa.evaluation.answers import askers_of, short_answers
from hmt_qa.evaluation.asking import LACKING, Asker, Way
from hmt_qa.evaluation.corpora import development_sets
from hmt_qa.evaluation.decoding import Prompt, decode, left_padded
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.options import Options
from hmt_qa.evaluation.plan import plan
from hmt_qa.evaluation.scoring import f1
from hmt_qa.evaluation.selection import cells
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.model.choosing import Choice
from hmt_qa.writers.memory import ANSWER_TOKENS

BEAMS = (1, 4, 8)
NEVER = 1.0  # a probability that no refusal reaches
LENGTH = 20_000
READ = (Way.EVIDENCE, Way.GOLD_SEGMENT, Way.GOLD_PARAGRAPH)
ROWS = 64  # prompts a forward pass

logger = logging.getLogger("hmt_qa.evaluation")


@dataclass(frozen=True, slots=True)
class Asking:
    """One prompt: by whom, its question's place, and in which way."""

    asker: Asker
    place: int
    way: Way

    @property
    def prompt(self) -> Prompt:
        """What the model reads."""
        return self.asker.prompt(self.place, self.way)


def askings(subject: Subject, data: Path, limit: int, seed: int) -> list[Asking]:
    """Every way of reading, and of missing, for `limit` questions shared out over the sets."""
    options = Options(data=data, model=Path(), limit=limit, lengths=(LENGTH,), seed=seed)
    sets = [short_answers(of, subject) for of in development_sets(data)]
    planned = plan(sets, options, default=limit)
    encode = ContextEncoder(subject.tokenizer)
    size = subject.engine.segment_length
    made = [
        cell
        for chosen, share in planned.chosen
        for cell in cells(
            chosen, sets, lengths=(LENGTH,), questions=share, segment_length=size, encode=encode, seed=seed
        )
    ]
    contexts = {context.id: context.text for of in sets for context in of.contexts}
    return [
        Asking(asker, place, way)
        for asker in askers_of(subject, made, contexts, options)
        for place in range(len(asker.cell.asked))
        for way in (*READ, *LACKING)
    ]


def answer_scores(subject: Subject, asked: Sequence[Asking], beams: int) -> list[float]:
    """F1 of each answer where none may be refused."""
    refusal = subject.format.unanswerable
    found = decode(
        subject.model,
        [asking.prompt for asking in asked],
        max_new_tokens=ANSWER_TOKENS,
        stop_ids=subject.format.ends,
        batching=subject.batching,
        choice=Choice(beams=beams, refusal=refusal, refuses_from=NEVER),
    )
    ends = subject.format.ends
    texts = [subject.tokenizer.decode([token for token in new if token not in ends]).strip() for new in found]
    return [
        f1(text, asking.asker.cell.asked[asking.place].question.answers)
        for text, asking in zip(texts, asked, strict=True)
    ]


@torch.inference_mode()
def refusal_probabilities(subject: Subject, asked: Sequence[Asking]) -> list[float]:
    """Of the refusal mark as the first token."""
    prompts = [asking.prompt for asking in asked]
    order = sorted(range(len(prompts)), key=lambda place: len(prompts[place]))
    found = [0.0] * len(prompts)
    for start in range(0, len(order), ROWS):
        places = order[start : start + ROWS]
        embeds_BTD, mask_BT = left_padded(subject.model, [prompts[place] for place in places])
        positions_BT = (mask_BT.cumsum(1) - 1).clamp(min=0)
        out = subject.model.backbone(
            inputs_embeds=embeds_BTD, attention_mask=mask_BT, position_ids=positions_BT, logits_to_keep=1
        )
        probability_B = out.logits[:, -1].float().softmax(-1)[:, subject.format.unanswerable]
        for place, probability in zip(places, probability_B.tolist(), strict=True):
            found[place] = probability
    return found


def threshold(lacking: Sequence[float], wanted: float) -> float:
    """The highest probability from which on at least this share of the questions without an answer is refused."""
    ordered = sorted(lacking, reverse=True)
    return round(ordered[min(int(wanted * len(ordered)), len(ordered) - 1)], 3)


def outcome(asked: Sequence[Asking], scores: Sequence[float], refused: Sequence[bool]) -> Iterator[tuple[str, float]]:
    """What a threshold does to each way: F1 and refusals, or refusals alone."""
    for way in (*READ, *LACKING):
        places = [place for place, asking in enumerate(asked) if asking.way is way]
        if way in READ:
            yield f"{way}: f1", fmean(0.0 if refused[place] else scores[place] for place in places)
        yield f"{way}: refused", fmean(refused[place] for place in places)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module's docstring."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(prog="python -m hmt_qa.evaluation.tuning")
    parser.add_argument("--data", type=Path, required=True, help="folder with dev/ of questions set apart")
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=600)
    parser.add_argument("--lacking", type=float, default=0.8, help="share of questions without answer to be refused")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dry-run", action="store_true", help="tell, and write nothing")
    given = parser.parse_args(arguments)
    subject = Subject.open(given.model, device=given.device, dtype="auto")
    asked = askings(subject, given.data, given.limit, given.seed)
    probabilities = refusal_probabilities(subject, asked)
    from_here = threshold(
        [value for value, asking in zip(probabilities, asked, strict=True) if asking.way in LACKING], given.lacking
    )
    refused = [value >= from_here for value in probabilities]
    read = [asking for asking in asked if asking.way in READ]
    best = (0.0, 1)
    for beams in BEAMS:
        scores = iter(answer_scores(subject, read, beams))
        all_scores = [next(scores) if asking.way in READ else 0.0 for asking in asked]
        mean = fmean(score for score, asking in zip(all_scores, asked, strict=True) if asking.way in READ)
        best = max(best, (mean, beams))
        told = {name: round(value, 4) for name, value in outcome(asked, all_scores, refused)}
        logger.info(json.dumps({"beams": beams, "f1, none refused": round(mean, 4), **told}))
    logger.info("questions=%d refuses_from=%s answer_beams=%d", len(asked), from_here, best[1])
    if not given.dry_run:
        path = given.model / "config.json"
        config = json.loads(path.read_text(encoding="utf-8"))
        config |= {"answer_beams": best[1], "refuses_from": from_here}
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
