"""Any local Hugging Face causal language model as a plain reader of the passages, by its chat template.

Shapes: T tokens · D hidden size.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Generator, Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tokenizers import Tokenizer

from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.model.streaming import stream_ids, stream_text
from hmt_qa.writers.contract import Request
from hmt_qa.writers.instructions import ANSWER_TOKENS, RULES, heeding_refusal, wording

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from hmt_qa.model.machine import Machine

PLAIN_ANSWER = "\nAnswer:"
USUAL_CONTEXT = 2_048  # tokens, where a model's configuration does not say


class CausalWriter:
    """Greedy answers of the model in a folder; weights load at the first question. Safe to share between threads.

    Only safetensors are read and no code of the folder is run. Raises `ModelMissing`, `InvalidCheckpoint` and
    `ModelTooLarge`.
    """

    def __init__(self, directory: Path, machine: Machine) -> None:
        self._checkpoint = Checkpoint.open(directory)
        if self._checkpoint.is_hmt:
            raise InvalidCheckpoint(
                f"{directory} is a model with a memory of its own.",
                subject=directory,
                remedy="Give it as --model, or a plain causal language model as reader.",
            )
        self._machine = machine
        self._lock = threading.RLock()

    @property
    def name(self) -> str:
        """The model's name and hash."""
        return self._checkpoint.model_id

    def write(self, request: Request) -> Generator[str, None, None]:
        """See `Writer`."""
        import torch

        with self._lock:
            model, stops = self._model, self._stop_ids
        ids = self._ids(request)
        ids_1T = torch.tensor([ids], device=self._machine.device)
        tokens = stream_ids(
            lambda streamer, stopping: model.generate(
                input_ids=ids_1T,
                attention_mask=torch.ones_like(ids_1T),
                max_new_tokens=ANSWER_TOKENS,
                do_sample=False,
                eos_token_id=list(stops),
                pad_token_id=stops[0],
                streamer=streamer,
                stopping_criteria=[stopping],
            )
        )
        pieces = stream_text(_until(tokens, stops), self._tokenizer)
        yield from heeding_refusal(pieces if self._chats else _first_line(pieces))

    def _ids(self, request: Request) -> list[int]:
        """The chat template's tokens round those of the message, in which spelt special tokens stay ordinary text."""
        before, after = (self._template_ids(part) for part in self._template)
        room = self._context - ANSWER_TOKENS - len(before) - len(after)
        return [*before, *self._text_ids(wording(request, room=room, tokens_of=self._tokens_of)), *after]

    def _tokens_of(self, text: str) -> int:
        return len(self._text_ids(text)) + 2  # the blank line between two parts

    def _text_ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _template_ids(self, text: str) -> list[int]:
        ids: list[int] = self._template_tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    @property
    def _chats(self) -> bool:
        """Whether the model was taught to end its turn; others go on with a question of their own."""
        return self._template[1] != PLAIN_ANSWER

    @cached_property
    def _template(self) -> tuple[str, str]:
        """What the chat template writes before and after a user's message; a plain layout where there is none.

        The rules are part of the message: not every template knows a system's role.
        """
        from transformers import AutoTokenizer

        place = secrets.token_hex(16)
        try:
            tokenizer = AutoTokenizer.from_pretrained(
                self._checkpoint.directory, local_files_only=True, trust_remote_code=False
            )
            if not tokenizer.chat_template:
                return f"{tokenizer.bos_token or ''}{RULES}\n\n", PLAIN_ANSWER
            rendered = tokenizer.apply_chat_template(
                [{"role": "user", "content": f"{RULES}\n\n{place}"}],
                tokenize=False,
                add_generation_prompt=True,
                enable_thinking=False,  # of those who can, none should: the answer is short and copied
            )
            before, found, after = str(rendered).partition(place)
        except Exception as exc:  # a template is a program of its author's: it may raise anything
            raise self._invalid(f"its chat template or tokenizer fails: {exc}") from exc
        if not found:
            raise self._invalid("its chat template leaves out what the user says")
        return before, after

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        tokenizer = self._read_tokenizer()
        tokenizer.encode_special_tokens = True
        return tokenizer

    @cached_property
    def _template_tokenizer(self) -> Tokenizer:
        return self._read_tokenizer()

    def _read_tokenizer(self) -> Tokenizer:
        path = self._checkpoint.find("tokenizer.json")
        try:
            return Tokenizer.from_file(str(path))
        except Exception as exc:  # tokenizers raises nothing narrower
            raise self._invalid(f"{path.name} is not a tokenizer: {exc}") from exc

    @cached_property
    def _model(self) -> Any:
        from transformers import AutoModelForCausalLM
        from transformers.utils import logging

        self._machine.require_room(self._checkpoint.parameters, int8=False, what=self.name)
        logging.disable_progress_bar()
        settings: dict[str, Any] = {"dtype": self._machine.dtype, "local_files_only": True, "trust_remote_code": False}
        if self._machine.attention != "sdpa":  # the default where a model has attention
            settings["attn_implementation"] = self._machine.attention
        try:
            model = AutoModelForCausalLM.from_pretrained(self._checkpoint.directory, use_safetensors=True, **settings)
        except (OSError, ValueError, KeyError, RuntimeError) as exc:
            raise self._invalid(str(exc)) from exc
        return cast(Any, model).to(self._machine.device).eval()

    @property
    def _config(self) -> PreTrainedConfig:
        return cast("PreTrainedConfig", self._model.config.get_text_config())

    @cached_property
    def _context(self) -> int:
        return int(getattr(self._config, "max_position_embeddings", None) or USUAL_CONTEXT)

    @cached_property
    def _stop_ids(self) -> tuple[int, ...]:
        """The model's own end marks; 0 where it names none."""
        ends: Any = self._model.generation_config.eos_token_id
        ends = self._config.eos_token_id if ends is None else ends
        return tuple(ends) if isinstance(ends, list) else (0 if ends is None else int(ends),)

    def _invalid(self, why: str) -> InvalidCheckpoint:
        return InvalidCheckpoint(
            f"The reader in {self._checkpoint.directory} cannot be used: {why}.",
            subject=self._checkpoint.directory,
            remedy="Fetch or save it again, with tokenizer and chat template.",
        )


def _until(tokens: Iterator[int], stops: tuple[int, ...]) -> Iterator[int]:
    for token in tokens:
        if token in stops:
            return
        yield token


def _first_line(pieces: Iterator[str]) -> Iterator[str]:
    """Up to the first line break behind a word."""
    begun = False
    for piece in pieces:
        text = piece if begun else piece.lstrip()
        line, line_break, _ = text.partition("\n")
        begun = begun or bool(text)
        if text:
            yield line
        if line_break:
            return
