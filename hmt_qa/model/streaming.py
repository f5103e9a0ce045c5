"""Generation as an iterator of text: the model runs in a thread, its tokens arrive as they are chosen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from queue import SimpleQueue
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import DecodeStream
from torch import Tensor
from transformers import StoppingCriteria
from transformers.generation.streamers import BaseStreamer


class _TokenQueue(BaseStreamer):
    """Hands token ids to another thread; the first `put` carries the prompt, which is not part of the answer."""

    def __init__(self) -> None:
        self.items: SimpleQueue[int | BaseException | None] = SimpleQueue()
        self._prompt_seen = False

    def put(self, value: Tensor) -> None:
        if self._prompt_seen:
            for token in value.flatten().tolist():
                self.items.put(token)
        self._prompt_seen = True

    def end(self) -> None:
        self.items.put(None)


class _Stopped(StoppingCriteria):
    def __init__(self) -> None:
        self.event = threading.Event()

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: Any) -> Tensor:
        return torch.full((input_ids.shape[0],), self.event.is_set(), device=input_ids.device)


def stream_ids(generate: Callable[[BaseStreamer, StoppingCriteria], object]) -> Generator[int]:
    """Token ids as `generate(streamer, stopping)` makes them. Closing the iterator stops the model within a token.

    An exception in the model is raised here, in the thread that asked.
    """
    queue, stopped = _TokenQueue(), _Stopped()

    def work() -> None:
        try:
            with torch.inference_mode():
                generate(queue, stopped)
        except BaseException as exc:
            queue.items.put(exc)
        else:
            queue.items.put(None)

    thread = threading.Thread(target=work, name="hmt-generate", daemon=True)
    thread.start()
    try:
        while (item := queue.items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.event.set()
        thread.join()


def stream_text(ids: Iterator[int], tokenizer: Tokenizer) -> Generator[str]:
    """Text pieces of a stream of ids; a character cut over several tokens appears once it is whole."""
    decoder = DecodeStream(skip_special_tokens=True)
    for token in ids:
        piece = decoder.step(tokenizer, token)
        if piece:
            yield piece
