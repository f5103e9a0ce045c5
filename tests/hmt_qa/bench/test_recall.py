"""Recall is timed where it computes what the definition does."""

from __future__ import annotations

import pytest
import torch

from hmt_qa.bench import recall
from hmt_qa.bench.replaying import copies_beyond_cache, seconds_a_call
from hmt_qa.errors import BenchmarkRefused

CPU = torch.device("cpu")
SIZES = recall.Sizes(hidden=16, rows=(40, 90), dtypes=("bfloat16", "float8_e4m3fn"), top=8)


def test_every_size_is_timed_in_every_format_beside_the_copy_of_the_same_run():
    report = recall.measure_recall(CPU, SIZES)
    values = {figure.name: figure.value for figure in report.figures}
    for name, size in (("bfloat16, 40 rows", 40 * 16 * 2), ("float8_e4m3fn, 90 rows", 90 * 16)):
        seconds = values[f"{name}: looking"] / 1e6
        share = values[f"{name}: looking, share of the copy's bandwidth"]
        assert share == pytest.approx(size / seconds / report.limits.copy_bytes)
        assert values[f"{name}: the 8 strongest"] > 0
    assert values["bfloat16, 90 rows: gradient"] > 0
    assert min(values["framing 64 segments"], values["remembering 64 segments"]) > 0
    assert not any("float8" in name and "gradient" in name for name in values)


@pytest.mark.parametrize("wrong", [0.1, float("nan")])
def test_wrong_prompts_are_not_timed(wrong, monkeypatch):
    right = recall.recall

    def off(*tensors, backend, **given):
        prompt_BD, weights_BN = right(*tensors, backend=backend, **given)
        return (prompt_BD + wrong if backend == "auto" else prompt_BD), weights_BN

    monkeypatch.setattr(recall, "recall", off)
    with pytest.raises(BenchmarkRefused, match="bfloat16, 40 rows"):
        recall.measure_recall(CPU, SIZES)


def test_calls_are_made_in_turns_and_timed_one_by_one():
    made: list[str] = []
    seconds = seconds_a_call([lambda: made.append("a"), lambda: made.append("b")], CPU, 3)
    assert made == ["a", "b"] * (len(made) // 2)
    assert seconds > 0


def test_a_cpu_reads_one_copy():
    assert copies_beyond_cache(1000, CPU) == 1
