"""The local engine: reading that goes on to the bit, frugal memory, generation, threads, refusals."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmt_qa import chain
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import ModelMissing, ModelTooLarge
from hmt_qa.model import machine
from hmt_qa.ports import MemoryReader
from hmt_qa.prompt import ANSWER, END, PASSAGE, QUESTION, UNANSWERABLE
from hmt_qa.reading.groups import SUMMARY_BATCH
from hmt_qa.types import Segment, StoredMemory
from tests.hmt_qa.model.literal import read_literally, summarise_literally
from tests.hmt_qa.models import Watch, random_segments, segments_of

ROOT = Path(__file__).parents[2]
WINDOW, LENGTH = 3, 16
SPECIAL = (PASSAGE, QUESTION, ANSWER, UNANSWERABLE, END, "<|memory|>", "<|document|>")


@pytest.fixture
def fresh(checkpoint: Path) -> Callable[..., LocalEngine]:
    """An engine of its own, not yet loaded."""
    return lambda **choice: LocalEngine(checkpoint, **({"device": "cpu", "dtype": "float32"} | choice))


def read_all(engine: LocalEngine, segments: list[Segment]) -> list[bytes]:
    return [row for _, row in engine.read(segments, committed=0, tail=b"")]


def read_on(engine: LocalEngine, segments: list[Segment], rows: list[bytes], committed: int) -> list[bytes]:
    return [
        row for _, row in engine.read(iter(segments), committed=committed, tail=b"".join(rows[:committed][-WINDOW:]))
    ]


@pytest.mark.parametrize("last", [16, 5])
def test_reading_on_from_any_segment_gives_the_bytes_of_an_uninterrupted_read(engine, last):
    segments = random_segments(2 * SUMMARY_BATCH + 3, last=last)
    rows = read_all(engine, segments)
    assert len(rows) == len(segments)
    for committed in range(len(segments) + 1):
        assert read_on(engine, segments, rows, committed) == rows[committed:], committed


def test_another_process_reads_on_to_the_same_bytes(engine, checkpoint):
    rows = read_all(engine, random_segments(12))
    ran = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.hmt_qa.read_in_another_process",
            checkpoint,
            "12",
            "9",
            b"".join(rows[6:9]).hex(),
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert ran.stdout.split() == [row.hex() for row in rows[9:]]


def test_reading_on_in_bfloat16_gives_the_same_bytes_too(fresh):
    engine = fresh(dtype="bfloat16")
    segments = random_segments(5)
    rows = read_all(engine, segments)
    assert {len(row) for row in rows} == {2 * engine.hidden}
    assert read_on(engine, segments, rows, 2) == rows[2:]


def test_rows_from_stored_bytes_lie_in_memory_as_computed_ones_do(engine):
    # Matrix products differ in their last bits with the alignment of what they read.
    for count in range(1, 40):
        rows_NMD = engine.rows(bytes(4 * engine.hidden * count), engine.hidden)
        assert rows_NMD.data_ptr() % 64 == 0
        assert rows_NMD.shape == (count, 2, engine.hidden // 2)


def test_stored_rows_come_back_as_the_numbers_they_were(engine):
    rows_NMD = torch.randn(4, 2, engine.hidden // 2).bfloat16()
    stored = StoredMemory(
        document="d",
        model_id=engine.model_id,
        dtype="bfloat16",
        hidden=engine.hidden,
        segments=4,
        state_id="s",
        rows=rows_NMD.view(torch.uint8).numpy().tobytes(),
    )
    assert torch.equal(engine.bank(stored), rows_NMD.float())


@torch.no_grad()
def test_rows_are_the_memories_of_the_papers_equations(checkpoint):
    exact = LocalEngine(checkpoint, device="cpu", dtype="float32")
    exact.model.double()  # ten steps of float32 are as far from the truth as from each other, by processor
    segments = random_segments(SUMMARY_BATCH + 2)
    ids = [number for segment in segments for number in segment.token_ids]
    expected = torch.stack(read_literally(exact.model, ids).memories)
    rows_NMD = torch.frombuffer(bytearray(b"".join(read_all(exact, segments))), dtype=torch.float64)
    torch.testing.assert_close(rows_NMD.view_as(expected), expected, atol=1e-10, rtol=1e-10)


@torch.no_grad()
def test_a_question_is_summarised_whole_as_the_papers_equations_do(engine):
    ids = list(random_segments(1, last=13)[0].token_ids)
    torch.testing.assert_close(engine.summarise(ids)[0], summarise_literally(engine.model, ids), atol=1e-5, rtol=1e-5)


@torch.inference_mode()
def test_a_question_recalls_over_all_memories_not_only_the_newest(engine):
    rows_NMD = torch.randn(5 * WINDOW, 2, engine.config.hidden_size)
    summary_1D = engine.summarise([5, 6])
    prompt_1MD, weights = engine.recall(summary_1D, rows_NMD)
    assert len(weights) == 5 * WINDOW
    assert min(weights) > 0
    assert sum(weights) == pytest.approx(1.0)
    weights_NM = (rows_NMD @ engine.model.memory.fold(summary_1D)[0]).softmax(dim=0)
    torch.testing.assert_close(prompt_1MD[0], torch.einsum("nm,nmd->md", weights_NM, rows_NMD), atol=1e-5, rtol=1e-5)


def test_segments_before_the_committed_ones_are_not_read_again(fresh):
    engine = fresh()
    segments = random_segments(2 * SUMMARY_BATCH)
    rows = read_all(engine, segments)
    watch = Watch(engine.model)
    assert len(read_on(engine, segments, rows, SUMMARY_BATCH + 2)) == SUMMARY_BATCH - 2
    assert watch.passes == 1 + SUMMARY_BATCH - 2  # one pass of summaries, then a step each


def test_ingestion_never_runs_the_lm_head_and_never_builds_a_cache(fresh):
    engine = fresh()
    watch = Watch(engine.model)
    segments = random_segments(SUMMARY_BATCH + 1)
    read_all(engine, segments)
    assert watch.passes == 2 + len(segments)
    assert watch.heads == 0
    assert not any(cache is not None for cache in watch.cached)


def test_what_reading_holds_does_not_grow_with_the_document(engine):
    held = []
    reading = engine.read(iter(random_segments(4 * SUMMARY_BATCH, last=16)), committed=0, tail=b"")
    for segment, _ in reading:
        if segment.number % SUMMARY_BATCH == SUMMARY_BATCH - 1:
            held.append(bytes_held(reading))
    assert len(set(held)) == 1, held
    # N memories and one more, one segment's hidden states, a group's summaries
    assert held[0] < 4 * engine.hidden * (2 * (WINDOW + 1) + 3 * (64 + 8) + SUMMARY_BATCH)


def bytes_held(reading: Iterator[object]) -> int:
    """Bytes of all tensors that a running `read` keeps alive between two segments."""
    storages = {}
    pending = [value for name, value in reading.gi_frame.f_locals.items() if name != "self"]
    while pending:
        value = pending.pop()
        if isinstance(value, torch.Tensor):
            storages[value.untyped_storage().data_ptr()] = value.untyped_storage().nbytes()
        elif is_dataclass(value):
            pending += [getattr(value, field.name) for field in fields(value)]
    assert storages
    return sum(storages.values())


def test_the_setting_names_all_that_the_last_bits_depend_on(engine):
    assert engine.setting == (
        f"cpu float32 sdpa threads={torch.get_num_threads()} torch={torch.__version__} summary_batch=8 width_step=64"
    )


def test_the_engine_is_what_ingestion_asks_for(engine):
    reader: MemoryReader = engine
    assert (reader.segment_length, reader.hidden, reader.recall_window, reader.dtype) == (LENGTH, 64, WINDOW, "float32")
    assert reader.model_id.startswith("tiny-qwen3@")


def test_looking_at_an_engine_does_not_load_its_weights(fresh, monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda device: 0)  # loading would fail
    engine = fresh()
    assert engine.segment_length == LENGTH
    assert engine.encode("whale").ids
    assert engine.first_state_id()
    assert engine.setting


rows_of_tokens = st.lists(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=6), min_size=1, max_size=6)


def state_ids(rows: list[list[int]], model_id: str = "m") -> list[str]:
    ids = [chain.first_state_id(model_id)]
    for row in rows:
        ids.append(chain.next_state_id(ids[-1], row, model_id))
    return ids


@given(shared=rows_of_tokens, one=rows_of_tokens, other=rows_of_tokens)
def test_equal_prefixes_have_equal_state_ids(shared, one, other):
    first, second = state_ids(shared + one), state_ids(shared + other)
    assert first[: len(shared) + 1] == second[: len(shared) + 1]
    assert (first == second) == (one == other)


@given(rows=rows_of_tokens, data=st.data())
def test_one_changed_token_changes_every_later_state_id_and_no_earlier_one(rows, data):
    number = data.draw(st.integers(0, len(rows) - 1))
    place = data.draw(st.integers(0, len(rows[number]) - 1))
    changed = [list(row) for row in rows]
    changed[number][place] ^= 1
    before, after = state_ids(rows), state_ids(changed)
    assert before[: number + 1] == after[: number + 1]
    assert not set(before[number + 1 :]) & set(after[number + 1 :])


@given(row=st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=6, unique=True))
def test_the_order_of_tokens_is_part_of_the_state_id(row):
    assert state_ids([row])[-1] != state_ids([row[::-1]])[-1]


@given(rows=rows_of_tokens)
def test_another_model_shares_no_state_id(rows):
    assert not set(state_ids(rows, "one")) & set(state_ids(rows, "other"))


@given(rows=rows_of_tokens)
def test_where_segments_are_cut_is_part_of_the_state_id(rows):
    joined = [[number for row in rows for number in row]]
    assert (state_ids(joined)[-1] == state_ids(rows)[-1]) == (len(rows) == 1)


def test_the_engines_chain_is_that_of_its_model(engine):
    first = engine.first_state_id()
    assert first == chain.first_state_id(engine.model_id)
    assert engine.next_state_id(first, [1, 2]) == chain.next_state_id(first, [1, 2], engine.model_id)
    assert len(first) == 64


@given(pieces=st.lists(st.one_of(st.sampled_from(SPECIAL), st.text(max_size=8)), max_size=6))
def test_special_token_spellings_in_a_text_are_ordinary_text(engine, pieces):
    text = "".join(pieces)
    encoded = engine.encode(text)
    special = {engine.tokenizer.token_to_id(mark) for mark in SPECIAL}
    assert None not in special
    assert not special & set(encoded.ids)
    assert engine.tokenizer.decode(encoded.ids, skip_special_tokens=False) == text


@given(text=st.text(max_size=60))
def test_token_spans_cover_a_text_in_order(engine, text):
    spans = engine.encode(text).spans
    reached = 0
    for start, end in spans:
        assert start <= reached <= end or start == reached
        reached = max(reached, end)
    assert reached == len(text)


def test_threads_that_ask_first_together_share_one_model(fresh):
    engine = fresh()
    barrier = threading.Barrier(6)

    def ask(_: int) -> tuple[object, object]:
        barrier.wait()
        return engine.model, engine.summarise([7, 8, 9])

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(ask, range(6)))
    assert len({id(model) for model, _ in answers}) == 1
    torch.testing.assert_close(answers[0][1], answers[-1][1])


def generate(engine: LocalEngine, *, most: int, stop: list[int]) -> Iterator[int]:
    return engine.generate(torch.zeros(1, 2, engine.hidden // 2), [5, 6, 7], max_new_tokens=most, stop_ids=stop)


def test_generation_is_greedy_and_ends_at_its_bound(engine):
    ids = list(generate(engine, most=6, stop=[1]))
    assert len(ids) == 6
    with torch.inference_mode():
        read = [5, 6, 7]
        for expected in ids:
            hidden_1TD = engine.model.prompt(torch.zeros(1, 2, engine.hidden // 2), torch.tensor([read]))
            assert int(engine.model.backbone(inputs_embeds=hidden_1TD).logits[0, -1].argmax()) == expected
            read.append(expected)


def test_generation_ends_at_a_stop_token_which_it_yields(engine):
    ids = list(generate(engine, most=8, stop=[1]))
    third = ids.index(ids[2])
    assert list(generate(engine, most=8, stop=[ids[2]])) == ids[: third + 1]


def test_closing_a_generation_early_stops_the_model(fresh):
    engine = fresh()
    watch = Watch(engine.model, reading_only=False)
    ids = generate(engine, most=100_000, stop=[1])
    next(ids)
    ids.close()
    stopped = watch.passes
    assert stopped < 1_000
    assert not [thread for thread in threading.enumerate() if thread.name == "hmt-generate"]


def test_an_error_in_the_model_reaches_who_asked(fresh):
    engine = fresh()

    def burn(*_: object) -> None:
        raise RuntimeError("the chip is on fire")

    engine.model.get_output_embeddings().register_forward_hook(burn)
    with pytest.raises(RuntimeError, match="on fire"):
        list(generate(engine, most=4, stop=[1]))


def test_a_model_larger_than_the_free_memory_is_refused_before_it_is_loaded(fresh, monkeypatch):
    monkeypatch.setattr(machine, "free_bytes", lambda device: 1_000)
    engine = fresh()
    with pytest.raises(ModelTooLarge, match=r"tiny-qwen3@.*Choose a smaller model"):
        list(engine.read(random_segments(2), committed=0, tail=b""))
    monkeypatch.undo()
    assert len(read_all(engine, random_segments(2))) == 2  # memory was freed meanwhile


def test_a_folder_without_a_model_is_refused_when_it_is_opened(tmp_path):
    with pytest.raises(ModelMissing, match="Check the path"):
        LocalEngine(tmp_path / "nothing")


@settings(max_examples=15)
@given(
    lengths=st.lists(st.just(LENGTH), max_size=9),
    last=st.integers(1, LENGTH),
    committed=st.integers(0, 10),
    seed=st.integers(0, 3),
)
def test_any_document_read_on_from_anywhere_is_the_same(engine, lengths, last, committed, seed):
    chance = torch.Generator().manual_seed(seed)
    rows = [torch.randint(0, 16384, (size,), generator=chance).tolist() for size in [*lengths, last]]
    segments = segments_of(rows)
    read = read_all(engine, segments)
    committed = min(committed, len(segments))
    assert read_on(engine, segments, read, committed) == read[committed:]
