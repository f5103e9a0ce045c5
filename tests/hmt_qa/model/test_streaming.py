"""Generation as an iterator: pieces of text, an end that can come early, errors that arrive."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmt_qa.engine import LocalEngine
from hmt_qa.model.streaming import stream_ids, stream_text

LONG = 100_000


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "hmt-generate"]


def endless(streamer, stopping):
    """As a model that never chooses to stop: one token, one look at the stopping criteria."""
    streamer.put(torch.tensor([[9, 9]]))
    for number in range(LONG):
        streamer.put(torch.tensor([number]))
        if stopping(torch.zeros(1, 1), torch.zeros(1, 1)).all():
            return


def test_tokens_come_without_the_prompt_and_in_order():
    ids = stream_ids(endless)
    assert [next(ids) for _ in range(5)] == [0, 1, 2, 3, 4]
    ids.close()


def test_closing_early_stops_the_thread():
    ids = stream_ids(endless)
    next(ids)
    assert running()
    ids.close()
    assert not running()


def test_an_iterator_never_begun_starts_no_thread():
    stream_ids(endless).close()
    assert not running()


def test_an_error_in_the_model_is_raised_where_the_tokens_are_read():
    def breaks(streamer, stopping):
        streamer.put(torch.tensor([[9]]))
        streamer.put(torch.tensor([4]))
        raise RuntimeError("the chip is on fire")

    ids = stream_ids(breaks)
    assert next(ids) == 4
    with pytest.raises(RuntimeError, match="on fire"):
        next(ids)
    assert not running()


def test_the_model_runs_without_recording_gradients():
    seen = []

    def looks(streamer, stopping):
        seen.append(torch.is_inference_mode_enabled())

    assert list(stream_ids(looks)) == []
    assert seen == [True]


@given(ids=st.lists(st.one_of(st.integers(0, 16383), st.integers(0, 280)), max_size=30))
def test_pieces_joined_are_the_text_of_the_tokens_but_for_a_character_cut_at_the_end(engine: LocalEngine, ids):
    streamed = "".join(stream_text(iter(ids), engine.tokenizer))
    whole = engine.tokenizer.decode(ids, skip_special_tokens=True)
    assert whole.startswith(streamed)
    assert streamed == whole or whole.endswith("\ufffd")


@given(text=st.text(max_size=40))
def test_a_text_streams_back_as_it_was(engine: LocalEngine, text):
    assert "".join(stream_text(iter(engine.encode(text).ids), engine.tokenizer)) == text


def test_no_piece_is_empty_and_no_character_comes_in_parts(engine: LocalEngine):
    pieces = list(stream_text(iter(engine.encode("naïve 🐋 鯨 whale").ids), engine.tokenizer))
    assert all(pieces)
    assert not any("\ufffd" in piece for piece in pieces)
