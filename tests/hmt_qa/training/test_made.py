"""What a backbone asks becomes a question set; only the model that asks is scripted, everything else is real."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor

from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.model.hmt import HMTForCausalLM
from hmt_qa.model.weights import load_model
from hmt_qa.prompt import PromptFormat
from hmt_qa.training import jsonl, made
from hmt_qa.training.asking import Asked, asked_of, asking_line, asking_lines, asking_prompt
from hmt_qa.training.data import generator, open_tokenizer, text_store
from hmt_qa.training.made import Maker, Passage, lines, passages
from hmt_qa.training.marks import Marks
from hmt_qa.training.questions import QuestionSets

TEXT = "The mill was built by Anna Reed in 1871 near the old road. It burnt down twice."
QUESTION = "Who built the old mill near the road?"


@pytest.fixture(scope="module")
def tokenizer(checkpoint: Path) -> Any:
    return open_tokenizer(checkpoint)


@pytest.fixture(scope="module")
def form(tokenizer: Any) -> PromptFormat:
    return PromptFormat.of(tokenizer)


def ids(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def written(tokenizer: Any, form: PromptFormat, answer: str, question: str) -> list[int]:
    return [*ids(tokenizer, answer), *form.question, *ids(tokenizer, question), form.stop[0]]


def test_what_is_written_behind_a_passage_is_the_line_it_was_taught_with(tokenizer: Any, form: PromptFormat) -> None:
    passage = ids(tokenizer, TEXT)
    asked = asked_of(form, passage, written(tokenizer, form, " Anna Reed", QUESTION))
    assert asked is not None
    assert tokenizer.decode(passage[asked.first : asked.last + 1]) == " Anna Reed"
    line = asking_line(form, passage, asked)
    assert line == [*asking_prompt(form, passage), *written(tokenizer, form, " Anna Reed", QUESTION)[:-1]]


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        (" Bela", QUESTION),
        (" Anna Reed", "Who?"),
        (" Anna Reed", "What was the mill of Anna Reed in the year 1871?"),
        (" Anna Reed", f"{QUESTION}<again>"),
    ],
    ids=["no quote", "too short", "tells its answer", "two questions"],
)
def test_what_is_no_question_about_a_quote_is_left_out(
    answer: str, question: str, tokenizer: Any, form: PromptFormat
) -> None:
    new = written(tokenizer, form, answer, question.removesuffix("<again>"))
    if question.endswith("<again>"):
        new = [*new[:-1], *form.question, *new[-1:]]
    assert asked_of(form, ids(tokenizer, TEXT), new) is None
    assert asked_of(form, ids(tokenizer, TEXT), written(tokenizer, form, " Anna Reed", QUESTION)[:-1]) is None


def test_every_quoted_answer_is_a_line_to_learn_asking_from(data: Path, work: Path, tokenizer: Any) -> None:
    store = asking_lines(data, work, tokenizer)
    told = [
        tokenizer.decode(store.document(number).tolist(), skip_special_tokens=False) for number in range(len(store))
    ]
    assert len(told) == 40
    for line in told:
        passage, _, rest = line.removeprefix("<|passage|>").partition("<|answer|>")
        answer, _, question = rest.partition("<|question|>")
        assert answer in passage
        assert question.endswith("?")


def test_passages_are_prose_that_follows_on_within_an_article(data: Path, work: Path, tokenizer: Any) -> None:
    store = text_store(jsonl.find(data, "shard_*.jsonl.zst"), work, tokenizer)
    marks = Marks.of(tokenizer)
    drawn = passages(store, store, 0.5, marks, generator(0, 0))
    found = [next(drawn) for _ in range(12)]
    assert all(made.LENGTHS[0] <= len(passage.ids) < made.LENGTHS[1] for passage in found)
    assert max(np.bincount([passage.article for passage in found])) > 1
    wholes = [store.document(number).tolist() for number in range(len(store))]
    for passage in found:
        starts = [
            (whole, place) for whole in wholes for place in range(len(whole)) if _stands(passage.ids, whole, place)
        ]
        assert starts
        assert any(marks.closes_V[whole[place - 1]] for whole, place in starts if place)


def _stands(part: list[int], whole: list[int], place: int) -> bool:
    return whole[place : place + len(part)] == part


def test_asked_questions_become_a_set_that_training_reads(
    checkpoint: Path, tokenizer: Any, form: PromptFormat, tmp_path: Path
) -> None:
    reader = load_model(Checkpoint.open(checkpoint), dtype=torch.float32, attention="sdpa").eval()
    asker = scripted(form, written(tokenizer, form, " Anna Reed", QUESTION))
    maker = Maker(cast(HMTForCausalLM, asker), reader, form)
    pairs = maker.ask([Passage(7, ids(tokenizer, TEXT)), Passage(8, ids(tokenizer, "Nothing of the kind."))])
    assert [passage.article for passage, _ in pairs] == [7]
    written_lines = list(lines(tokenizer, pairs, 0))
    for name, column in (("contexts", 0), ("train", 1)):
        jsonl.write(tmp_path / "qa" / f"qa_{name}-made-0.jsonl.zst", (pair[column] for pair in written_lines))
    sets = QuestionSets.open(tmp_path, tmp_path / "work", tokenizer)
    first, last = sets.answer_span_Q2[0].tolist()
    assert tokenizer.decode(sets.context(0)[first : last + 1].tolist()) == " Anna Reed"
    assert tokenizer.decode(sets.question(0).tolist()) == QUESTION


def scripted(form: PromptFormat, new: list[int]) -> Any:
    def generate(input_ids: Tensor, **_: Any) -> Tensor:
        return torch.cat([input_ids, torch.tensor([new] * len(input_ids))], dim=1)

    return SimpleNamespace(device=torch.device("cpu"), backbone=SimpleNamespace(generate=generate))


def test_an_answer_is_believed_where_the_reader_finds_it_likely(
    checkpoint: Path, tokenizer: Any, form: PromptFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = load_model(Checkpoint.open(checkpoint), dtype=torch.float32, attention="sdpa").eval()
    passage = ids(tokenizer, TEXT)
    pairs = [
        (Passage(0, passage), Asked(ids(tokenizer, QUESTION), first, first + width))
        for first, width in ((2, 0), (5, 1), (9, 3))
    ]
    alone = [_likelihood(reader, form, passage, asked) for _, asked in pairs]
    middle = sorted(alone)[1]
    monkeypatch.setattr(made, "BELIEVED", middle - 1e-4)
    with torch.inference_mode():
        assert Maker(reader, reader, form).believed(pairs) == [value >= middle for value in alone]


def _likelihood(reader: HMTForCausalLM, form: PromptFormat, passage: list[int], asked: Asked) -> float:
    """One token after another, nothing padded."""
    prompt = form.build([passage], asked.question)
    answer = [*passage[asked.first : asked.last + 1], form.stop[0]]
    total = 0.0
    for place, token in enumerate(answer):
        embeds = reader.prompt(reader.memory.initial_memory_MD[None], torch.tensor([[*prompt, *answer[:place]]]))
        with torch.inference_mode():
            logits = cast(Any, reader.backbone)(inputs_embeds=embeds).logits[0, -1]
        total += float(logits.log_softmax(-1)[token])
    return total / len(answer)
