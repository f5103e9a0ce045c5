"""Benchmarks time what computes the right thing, and say on what machine."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from hmt_qa.bench import ask, ingest, scale, work
from hmt_qa.bench.__main__ import main
from hmt_qa.bench.baselines import published_loop, whole_as_context
from hmt_qa.bench.documents import random_document
from hmt_qa.bench.replicas import replicas
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import BenchmarkRefused
from hmt_qa.model import backbone
from tests.hmt_qa.model.literal import read_literally


@pytest.fixture(scope="module")
def engine(checkpoint) -> LocalEngine:
    return LocalEngine(checkpoint, device="cpu", dtype="float32")


@torch.no_grad()
def test_the_published_loop_has_the_memories_of_the_papers_equations(engine):
    segments = list(random_document(engine, 9 * engine.segment_length + 3, seed=1))
    ids = [token for segment in segments for token in segment.token_ids]
    loop = published_loop(engine.model, torch.tensor(ids))
    torch.testing.assert_close(torch.stack(loop), torch.stack(read_literally(engine.model, ids).memories))


def test_a_document_has_as_many_tokens_as_asked_for_and_no_zeros(engine):
    segments = list(random_document(engine, 3 * engine.segment_length + 5, seed=0))
    assert [len(segment.token_ids) for segment in segments] == [engine.segment_length] * 3 + [5]
    assert min(min(segment.token_ids) for segment in segments) > 0


def test_operations_are_those_that_torch_counts(engine):
    tokens = 37
    with (
        FlopCounterMode(display=False) as counter,
        torch.no_grad(),
        torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH),
    ):
        backbone.last_hidden(engine.model.backbone, torch.randn(1, tokens, engine.config.hidden_size))
    one = work.Work.of(engine.model)
    # Torch counts the upper half of attention too, which a causal pass does not need.
    whole = one.of_pass(tokens) + one.pairing * tokens * (tokens - 1) / 2
    assert counter.get_total_flops() == pytest.approx(whole, rel=0.01)


def test_reading_is_compared_with_the_published_loop(engine):
    report = ingest.ingest(engine, ingest.Sizes(tokens=200, documents=3))
    values = {figure.name: figure.value for figure in report.figures}
    assert values["agreement with the published loop, least cosine"] > 0.999
    ratio = values["one document of 200 tokens"] / values["published loop"]
    assert values["one document against the published loop"] == pytest.approx(ratio)
    assert 0 < values["share of that time the device was at it"] <= 1
    assert json.loads(report.as_json())["limits"]["matrix_rate"] > 0
    assert f"torch {torch.__version__}" in report.table()


def test_wrong_memories_are_not_timed(engine, monkeypatch):
    right = LocalEngine.rows
    monkeypatch.setattr(LocalEngine, "rows", lambda self, *given: right(self, *given) + torch.randn(1) * 9)
    with pytest.raises(BenchmarkRefused, match="not those of the published loop"):
        ingest.ingest(engine, ingest.Sizes(tokens=200, documents=2))


def test_asking_is_timed_at_every_length(engine):
    report = ask.ask(engine, ask.Sizes(lengths=(100, 400), new_tokens=4, context=False))
    values = {figure.name: figure.value for figure in report.figures}
    assert values["100 tokens: resume to first token"] > values["100 tokens: question, resume and recall"] > 0
    first, last = (values[f"{length} tokens: resume to first token"] for length in (100, 400))
    assert values["longest against shortest"] == pytest.approx(last / first)


def test_a_whole_text_as_context_gives_the_backbones_next_token(engine):
    ids_T = torch.randint(16, 16384, (50,))
    with torch.no_grad():
        expected = engine.model.backbone(input_ids=ids_T[None]).logits[0, -1]
    torch.testing.assert_close(whole_as_context(engine.model, ids_T), expected)


def test_scale_counts_the_rows_of_each_length(engine):
    report = scale.scale(engine, scale.Sizes(lengths=(100, 700)))
    values = {figure.name: figure.value for figure in report.figures}
    segments = -(-700 // engine.segment_length)
    assert values["700 tokens: memory rows"] == pytest.approx(segments * engine.hidden * 4 / 1e6)
    drawn = ElementTree.fromstring(scale.picture(report))  # noqa: S314 (our own)
    assert len(drawn.findall("{*}circle")) == 3 * 2
    lines = [element.text for element in drawn.findall("{*}text")]
    assert set(scale.DRAWN.values()) < set(lines)


def test_the_command_prints_json_alone_where_asked(capsys, tmp_path):
    given = [
        "scale",
        "--shape",
        "tiny",
        "--lengths",
        "300",
        "--device",
        "cpu",
        "--json",
        "--out",
        str(tmp_path / "r.json"),
    ]
    assert main(given) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == json.loads((tmp_path / "r.json").read_text())


def test_a_missing_model_is_one_line(capsys, tmp_path):
    assert main(["scale", "--model", str(tmp_path)]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_replicas_read_alone_and_all_at_once(checkpoint):
    report = replicas(checkpoint, 2, ingest.Sizes(tokens=100, documents=2), device=torch.device("cpu"))
    alone, together, ratio = (figure.value for figure in report.figures)
    assert ratio == pytest.approx(together / alone)


@pytest.mark.skipif(torch.cuda.device_count() > 7, reason="so many GPUs are here")
def test_more_replicas_than_gpus_are_refused(checkpoint):
    with pytest.raises(BenchmarkRefused, match="8 replicas need 8 GPUs"):
        replicas(checkpoint, 8, ingest.Sizes(), device=torch.device("cuda"))
