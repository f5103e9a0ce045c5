from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from hmt_qa.model.checkpoint import Checkpoint
from hmt_qa.model.weights import load_model
from hmt_qa.training import recipes
from hmt_qa.training.answers import AnswersStage
from hmt_qa.training.base import BaseStage, fresh
from hmt_qa.training.checkpoints import begin, leave
from hmt_qa.training.data import open_tokenizer
from hmt_qa.training.loop import train
from hmt_qa.training.memory import MemoryStage
from hmt_qa.training.parallel import Place
from hmt_qa.training.recipes import Unroll
from hmt_qa.training.unroll import MemoryKind, for_training

ALONE = Place(0, 1, torch.device("cpu"))
STAGES: dict[str, Callable[..., Any]] = {
    "base": BaseStage,
    "memory": MemoryStage,
    "answers": AnswersStage,
    "asker": BaseStage,
}
ROOT = Path(__file__).parents[3]


def stage(name: str, checkpoint: Path, data: Path, work: Path, **changes: Any) -> Any:
    recipe: Any = replace(recipes.smoke(name), **changes)  # type: ignore[arg-type]
    model = begin(checkpoint, ALONE.device)
    if name == "base":
        model = fresh(model.config, 0)
    for_training(model, ALONE.device)
    return STAGES[name](model, recipe, ALONE, data=data, work=work, tokenizer=open_tokenizer(checkpoint)), recipe.run


def run(made: Any, folder: Path, *, steps: int, resume: bool = False) -> list[dict[str, float]]:
    stage, settings = made
    settings = replace(settings, steps=steps)
    return train(stage, settings, ALONE, folder, resume=resume, export=lambda: None, begun=_now())


def _now() -> float:
    from time import monotonic

    return monotonic()


@pytest.mark.parametrize(
    ("name", "loss"), [("base", "loss"), ("memory", "loss"), ("answers", "language"), ("asker", "loss")]
)
def test_each_stage_lowers_its_loss_and_writes_a_checkpoint(
    name: str, loss: str, *, checkpoint: Path, data: Path, work: Path, tmp_path: Path
) -> None:
    made = stage(name, checkpoint, data, work)
    told = run(made, tmp_path, steps=10)
    assert told[-1][loss] < told[0][loss] - 0.3
    assert 0 < told[-1]["valid"] < 11
    leave(made[0].model, tmp_path / "out", tokenizer=checkpoint, memory_trained=True, keep_float=False)
    opened = Checkpoint.open(tmp_path / "out")
    assert opened.is_int8
    assert opened.memory_trained
    load_model(opened, dtype=torch.float32, attention="sdpa")


@pytest.mark.parametrize("kind", [MemoryKind.RMT, MemoryKind.NONE])
def test_baselines_train_on_the_same_batches(
    kind: MemoryKind, checkpoint: Path, data: Path, work: Path, tmp_path: Path
) -> None:
    made, settings = stage("memory", checkpoint, data, work, kind=kind)
    reference, _ = stage("memory", checkpoint, data, work)
    assert torch.equal(made.batch(3, 0.5).ids_BSL, reference.batch(3, 0.5).ids_BSL)
    told = run((made, settings), tmp_path, steps=4)
    assert told[-1]["loss"] < told[0]["loss"]


def test_a_resumed_run_repeats_the_uninterrupted_one(
    checkpoint: Path, data: Path, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(stage("answers", checkpoint, data, work), tmp_path / "whole", steps=6)
    first, settings = stage("answers", checkpoint, data, work)
    stepped = first.step

    def stopping(batch: Any) -> Any:
        if int(first.extra.balance.count) == 3:
            raise KeyboardInterrupt
        return stepped(batch)

    monkeypatch.setattr(first, "step", stopping)
    settings = replace(settings, checkpoint_minutes=0.0)
    with pytest.raises(KeyboardInterrupt):
        run((first, settings), tmp_path / "cut", steps=6)
    rest = run(stage("answers", checkpoint, data, work), tmp_path / "cut", steps=6, resume=True)
    untimed = [{k: v for k, v in line.items() if k not in {"seconds", "tokens_s"}} for line in whole[3:]]
    assert [{k: v for k, v in line.items() if k not in {"seconds", "tokens_s"}} for line in rest] == untimed


def test_a_run_limited_by_time_ends_with_its_rate_near_zero() -> None:
    from hmt_qa.training.loop import Run
    from hmt_qa.training.optim import Rates, factor

    settings = Run(steps=10**6, minutes=10.0, rates=Rates(warm_up=10, decay=0.5))
    assert factor(settings.rates, 500, settings.share(500, 60.0)) == 1.0
    assert factor(settings.rates, 500, settings.share(500, 599.0)) < 0.01
    assert settings.share(500, 601.0) == 1.0


def test_two_processes_lose_what_one_does_on_the_same_rows(
    checkpoint: Path, data: Path, work: Path, tmp_path: Path
) -> None:
    shapes = (Unroll(documents=4, segments=4),)
    alone = run(stage("answers", checkpoint, data, work, shapes=shapes, calibrated=False), tmp_path / "one", steps=3)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "hmt_qa.training", "answers", "--smoke", "--steps", "3", "--init", str(checkpoint)]
    command += ["--data", str(data), "--work", str(tmp_path), "--out", str(tmp_path / "out")]
    command += ["--recipe", "calibrated=false", "shapes=2x4"]
    subprocess.run(command, check=True, env=environment, cwd=ROOT, capture_output=True, timeout=120)
    lines = [json.loads(line) for line in (tmp_path / "answers" / "log.jsonl").read_text().splitlines()]
    for one, two in zip(alone, lines, strict=True):
        for name in ("language", "reading", "memory_mode", "recall", "continuation", "norm", "balance"):
            assert two[name] == pytest.approx(one[name], rel=2e-2, abs=1e-3), name
    assert Checkpoint.open(tmp_path / "out").memory_trained
