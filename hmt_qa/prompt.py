"""What the model reads to answer: token ids from evidence and question; knows no tensors and no files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tokenizers import Tokenizer

from hmt_qa.errors import EmptyQuestion, QuestionTooLong

PASSAGE, QUESTION, ANSWER = "<|passage|>", "<|question|>", "<|answer|>"
UNANSWERABLE, END = "<|unanswerable|>", "<|endoftext|>"


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """Marks around evidence and question, as the model was trained with them.

    A tokenizer without our special tokens (any other Hugging Face model) gets the same layout in words.
    `stop` ends an answer: the end mark, or a mark that begins something new, as after an answer in the training text.
    `unanswerable` is None where the model has no token for it.
    """

    passage: tuple[int, ...]
    question: tuple[int, ...]
    answer: tuple[int, ...]
    stop: tuple[int, ...]
    unanswerable: int | None

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> PromptFormat:
        """The format this tokenizer can spell."""
        marks = [tokenizer.token_to_id(mark) for mark in (PASSAGE, QUESTION, ANSWER, UNANSWERABLE, END)]
        known = [mark for mark in marks if mark is not None]
        if len(known) == len(marks):
            passage, question, answer, unanswerable, end = known
            return cls((passage,), (question,), (answer,), (end, question, passage), unanswerable)

        def spelt(words: str) -> tuple[int, ...]:
            return tuple(tokenizer.encode(words, add_special_tokens=False).ids)

        ends = (END, "</s>", "<|eot_id|>", "<|im_end|>", "<|end_of_text|>", "<eos>")
        stop = tuple(number for end in ends if (number := tokenizer.token_to_id(end)) is not None)
        return cls(
            passage=spelt("\n\nPassage: "),
            question=spelt("\n\nQuestion: "),
            answer=spelt("\nAnswer:"),
            stop=stop or (0,),
            unanswerable=None,
        )

    @property
    def ends(self) -> tuple[int, ...]:
        """Every token at which the model need not go on: `stop`, and its mark for "not answered here"."""
        return self.stop if self.unanswerable is None else (*self.stop, self.unanswerable)

    def build(self, passages: Sequence[Sequence[int]], question: Sequence[int]) -> list[int]:
        """`[question ; passages ; question ; answer mark]`, each behind its mark; without passages the question once.

        A causal model reads each passage knowing only what stands before it: with the question in front it knows what
        to look for.
        """
        asked = [*self.question, *question]
        ids = list(asked) if passages else []
        for passage in passages:
            ids += [*self.passage, *passage]
        return [*ids, *asked, *self.answer]


def question_ids(tokenizer: Tokenizer, question: str, *, limit: int) -> list[int]:
    """Tokens of a question; raises `EmptyQuestion`, and `QuestionTooLong` past `limit` tokens."""
    text = question.encode("utf-8", "replace").decode("utf-8").strip()
    if not text:
        raise EmptyQuestion("The question is empty.", subject=question, remedy="Ask something in words.")
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    if len(ids) > limit:
        raise QuestionTooLong(
            f"The question has {len(ids)} tokens and at most {limit} are read.",
            subject=len(ids),
            remedy="Shorten it, or ingest the text it quotes as a document.",
        )
    return ids
