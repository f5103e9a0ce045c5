from __future__ import annotations

from hmt_qa.engine import LocalEngine
from hmt_qa.evaluation.closely import read_closely
from hmt_qa.evaluation.subjects import Subject
from hmt_qa.stretches import Source
from hmt_qa.writers.close_reading import Posed
from hmt_qa.writers.memory import ANSWER_TOKENS

TEXTS = ("The harbour has room for forty boats.\n", "The mill ground oats until the river moved.\n")


def posed(engine: LocalEngine, question: str, text: str) -> Posed:
    source = Source(document="d", start=0, text=text, token_ids=engine.encode(text).ids, share=0.5)
    memory_MD = engine.model.memory.initial_memory_MD
    return Posed(question_ids=engine.encode(question).ids, prompt_MD=memory_MD, sources=[source])


def test_answers_go_on_to_their_end_and_each_has_its_own(engine: LocalEngine) -> None:
    subject = Subject(engine)
    refusal = subject.format.unanswerable
    assert refusal is not None
    asked = [posed(engine, question, text) for question in ("How many boats?", "What moved?") for text in TEXTS]
    together = read_closely(subject, asked, refusal=refusal)
    for one, written in zip(asked, together, strict=True):
        (alone,) = read_closely(subject, [one], refusal=refusal)
        assert list(written.ids) == list(alone.ids)
        assert len(written.ids) == ANSWER_TOKENS or written.ids[-1] in subject.format.ends
    assert any(len(written.ids) == ANSWER_TOKENS for written in together)
