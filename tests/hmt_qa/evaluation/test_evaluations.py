"""Each evaluation from the files to the report, with a tiny random model."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hmt_qa.confidence import FILE, Confidence
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import FileMissing
from hmt_qa.evaluation.__main__ import main
from hmt_qa.evaluation.answers import askers_of
from hmt_qa.evaluation.asking import Way
from hmt_qa.evaluation.corpora import development_sets
from hmt_qa.evaluation.encoding import ContextEncoder
from hmt_qa.evaluation.figures import POOLED
from hmt_qa.evaluation.losses import ReadingMode
from hmt_qa.evaluation.options import Baseline, Options, What
from hmt_qa.evaluation.plan import plan
from hmt_qa.evaluation.report import Report, run
from hmt_qa.evaluation.scoring import normalised
from hmt_qa.evaluation.selection import cells
from hmt_qa.evaluation.subjects import Subject


def figure(report: Report, method: str, metric: str, *, group: str = POOLED, length: int = 0) -> float:
    (found,) = [
        f for f in report.results.figures if (f.group, f.length, f.method, f.metric) == (group, length, method, metric)
    ]
    assert found.estimate.low <= found.estimate.value <= found.estimate.high
    return found.estimate.value


def test_perplexity_of_all_readings_and_baselines(options: Options) -> None:
    baselines = (Baseline(directory=options.model, mode=ReadingMode.HMT), Baseline(directory=options.model))
    report = run(What.PERPLEXITY, replace(options, baselines=baselines, limit=None))
    own = figure(report, "memory", "perplexity")
    name = options.model.name
    assert own == figure(report, f"{name} (hmt)", "perplexity")
    assert figure(report, f"memory / {name} (hmt)", "perplexity ratio") == 1
    # Untrained, so it is read without memory unless told otherwise.
    bare = figure(report, f"{name} (none)", "perplexity")
    assert bare == figure(report, "same weights, no memory", "perplexity")
    assert figure(report, f"memory / {name} (none)", "perplexity ratio") == pytest.approx(own / bare)
    assert report.results.sizes["documents"] == 3


def test_a_limit_reads_that_many_segments_of_each_document(options: Options) -> None:
    report = run(What.PERPLEXITY, replace(options, limit=2))
    assert report.results.sizes["tokens"] == 3 * (2 * 16 - 1)


def test_retrieval_of_all_methods(options: Options) -> None:
    report = run(What.RETRIEVAL, options)
    for length in (60, 300):
        keyword = figure(report, "keyword", "recall@5", length=length)
        memory = figure(report, "memory", "recall@5", length=length)
        assert 0 <= memory <= 1
        assert keyword > 0.8  # every question names its vault
        assert figure(report, "memory - keyword", "recall@5", length=length) == pytest.approx(memory - keyword)
        # beside a random memory the words are right: the more they are trusted, the better
        little, much = (figure(report, f"hybrid, trust {trust}", "mrr", length=length) for trust in ("0.1", "2"))
        assert little < much
    assert any("MiniLM+FAISS" in note for note in report.results.notes)
    assert report.results.sizes["squad_v1_dev/60 questions"] == 14


def test_real_reports_are_judged_by_segment_and_by_page(options: Options) -> None:
    report = run(What.RETRIEVAL, replace(options, reports=True))
    for group in ("annual_reports", "annual_reports, pages"):
        assert figure(report, "keyword", "recall@1", group=group) == 1
        assert figure(report, "memory", "recall@20", group=group) == 1


def test_answers_of_all_ways(options: Options) -> None:
    report = run(What.ANSWERS, replace(options, baselines=(Baseline(directory=options.model),), limit=16))
    for way in ("evidence", "memory", "oracle segment"):
        assert 0 <= figure(report, way, "f1", group="squad_v1_dev", length=60) <= 1
    assert 0 <= figure(report, "no document", "f1", group="squad_v1_dev") <= 1
    assert 0 <= figure(report, "passages lack it", "unanswerable accuracy", group="squad_v1_dev") <= 1
    assert figure(report, "memory - no document", "f1", group="squad_v1_dev", length=300) is not None
    assert figure(report, f"{options.model.name}: oracle paragraph, no P", "f1", group="squad_v1_dev") >= 0
    content = json.loads(report.as_json())
    assert content["model"].startswith(options.model.name)
    assert {"set", "length", "method", "metric", "value", "low", "high", "count"} == set(content["figures"][0])


def test_confidence_is_fitted_beside_the_weights_drawn_and_measured(options: Options, tmp_path: Path) -> None:
    folder = tmp_path / options.model.name
    shutil.copytree(options.model, folder)
    own = replace(options, model=folder, lengths=(60,), picture=tmp_path / "curve.svg")
    with pytest.raises(FileMissing, match="--fit"):
        run(What.CONFIDENCE, own)
    report = run(What.CONFIDENCE, replace(own, fit=True))
    assert report.results.sizes["asked"] == 2 * (14 + 4)  # of its own document, and of another
    assert 0 <= figure(report, "confidence", "ece") <= 1
    assert figure(report, "without threshold", "unanswerable accuracy") <= figure(
        report, "with threshold", "unanswerable accuracy"
    )
    assert (tmp_path / "curve.svg").read_text().startswith("<svg")
    again = run(What.CONFIDENCE, own)
    assert figure(again, "confidence", "aurc") == figure(report, "confidence", "aurc")


def test_answers_of_a_model_with_a_confidence_are_those_its_writer_would_give(options: Options, tmp_path: Path) -> None:
    folder = tmp_path / options.model.name
    shutil.copytree(options.model, folder)
    engine = LocalEngine(folder, device="cpu", dtype="float32")
    never = Confidence(weights=(0.0,) * 5, bias=0.0, threshold=1.0)
    never.write(folder / FILE, fingerprint=engine.checkpoint.fingerprint)
    report = run(What.ANSWERS, replace(options, model=folder, limit=8, lengths=(60,), baselines=()))
    assert figure(report, "evidence", "refused", group="squad_v1_dev", length=60) == 1
    assert figure(report, "memory", "refused", group="squad_v1_dev", length=60) < 1


def test_gold_passages_hold_the_answer_and_lacking_ones_do_not(options: Options, engine: LocalEngine) -> None:
    subject = Subject(engine)
    sets = development_sets(options.data)
    encoder = ContextEncoder(engine.tokenizer)
    chosen = next(of for of in sets if of.name == "squad_v1_dev")
    made = cells(chosen, sets, lengths=(60, 300), questions=14, segment_length=16, encode=encoder, seed=1)
    contexts = {context.id: context.text for of in sets for context in of.contexts}
    for asker in askers_of(subject, made, contexts, options):
        for place, asked in enumerate(asker.cell.asked):
            answer = normalised(asked.question.answers[0])
            for way in Way:
                text = normalised(engine.tokenizer.decode(list(asker.prompt(place, way).ids), skip_special_tokens=True))
                if way in {Way.GOLD_PARAGRAPH, Way.PLAIN_PARAGRAPH}:
                    assert answer in text
                if way in {Way.LACKING_NEAR, Way.LACKING_FAR, Way.NOTHING, Way.MEMORY}:
                    assert answer not in text


def test_a_small_limit_asks_fewer_sets_in_short_documents(options: Options) -> None:
    sets = development_sets(options.data)
    quick = plan(sets, replace(options, limit=12, lengths=()), default=1)
    assert [(of.name, share) for of, share in quick.chosen] == [("squad_v1_dev", 12)]
    assert len(quick.lengths) == 1
    whole = plan(sets, replace(options, limit=None, lengths=()), default=200)
    assert [share for _, share in whole.chosen] == [100, 100]
    assert len(whole.lengths) == 3


def test_the_command_writes_the_report_and_shows_a_table(
    options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reports" / "report.json"
    given = ["--data", str(options.data), "--model", str(options.model), "--limit", "1", "--device", "cpu"]
    assert main(["perplexity", *given, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "memory, recall off" in shown
    assert math.isfinite(json.loads(out.read_text())["figures"][0]["value"])


def test_missing_data_is_told_in_one_line(options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FileMissing):
        run(What.RETRIEVAL, replace(options, data=tmp_path))
    assert main(["answers", "--data", str(tmp_path), "--model", str(options.model)]) == 1
    assert "--data" in capsys.readouterr().err


def test_baselines_say_how_they_are_read() -> None:
    assert Baseline.parse("rmt=a/b") == Baseline(directory=Path("a/b"), mode=ReadingMode.RMT)
    assert Baseline.parse("a=b/c") == Baseline(directory=Path("a=b/c"))
