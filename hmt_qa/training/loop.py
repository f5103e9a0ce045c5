"""One training loop for all stages: schedule by steps and by time, guard, log, checkpoint, exact resumption.

A stage knows its data and its losses; the loop knows neither.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from time import monotonic
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from hmt_qa.errors import InvalidCheckpoint
from hmt_qa.training.feeding import Feed, moved
from hmt_qa.training.optim import Rates, factor, parameters, set_rate
from hmt_qa.training.parallel import Place
from hmt_qa.training.rounding import rounded

logger = logging.getLogger(__name__)

STATE = "training.pt"
CALIBRATION = 1_000_000_000  # number of a step that no run comes to: its batch only measures
SKIPS = 5  # steps in a row without finite gradients that end a run

B = TypeVar("B", bound="Batch")


class Batch(Protocol):
    """A frozen dataclass of tensors."""

    @property
    def tokens(self) -> int:
        """Tokens that one process computes on for it."""


class Stage(Protocol[B]):
    """What is trained on: batches by step, losses by batch."""

    model: Any
    optimizers: list[Optimizer]
    extra: nn.Module | None

    def begin(self) -> None:
        """Called once before the first step of a run, on the training device; not when a run is resumed."""

    def batch(self, step: int, share: float) -> B:
        """This process's part of a step's batch, on the CPU; depends on its arguments and the seed alone."""

    def step(self, batch: B) -> dict[str, Tensor]:
        """Accumulate gradients; returns losses to be told, each one's mean over processes being the whole's."""

    def validate(self) -> dict[str, float]:
        """Figures on text that is not trained on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How long and how carefully: a run ends at `steps` or after `minutes`, and its rate falls to zero by then.

    round_from: share of the run from which on matrices are rounded to int8 rows; 1 for never.
    workers: processes that make batches ahead, for each GPU.
    """

    steps: int = 1000
    minutes: float | None = None
    seed: int = 0
    rates: Rates = field(default_factory=Rates)
    round_from: float = 1.0
    checkpoint_minutes: float = 3.0
    validate_minutes: float = 3.0
    log_seconds: float = 5.0
    workers: int = 0

    def share(self, step: int, seconds: float) -> float:
        """How much of the run is over, 0 to 1: by steps or by time, whichever is nearer its end."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(step / max(self.steps, 1), by_time))


@dataclass(slots=True)
class _Progress:
    step: int = 0
    seconds: float = 0.0
    skipped: int = 0


def train(
    stage: Stage[B], run: Run, place: Place, work: Path, *, resume: bool, export: Callable[[], None], begun: float
) -> list[dict[str, float]]:
    """Train to the end of the run; returns what was logged. `begun` is `monotonic()` when the run's time began.

    Raises `InvalidCheckpoint` where `resume` finds another run's state, `FloatingPointError` when gradients stay
    infinite.
    """
    work.mkdir(parents=True, exist_ok=True)
    progress = _Progress()
    if resume and (work / STATE).exists():
        progress = _restored(stage, work / STATE, place)
    else:
        stage.begin()
    begun -= progress.seconds
    weights, told = parameters(stage.optimizers), list[dict[str, float]]()
    saved = validated = logged = progress.seconds
    tokens = 0
    steps, pinned = (progress.step, run.steps), place.device.type == "cuda"
    feed = Feed(stage.batch, run.share, steps=steps, workers=run.workers, pinned=pinned)
    for made in feed:
        share = run.share(progress.step, progress.seconds)
        set_rate(stage.optimizers, factor(run.rates, progress.step, share))
        batch = moved(made, place.device)
        with rounded(stage.model, when=share >= run.round_from):
            values = stage.step(batch)
        norm = _update(stage, weights, run, place, progress)
        tokens += batch.tokens * place.world
        progress.step += 1
        progress.seconds = place.agreed(monotonic() - begun)
        feed.tell(progress.seconds)
        now, over = progress.seconds, run.share(progress.step, progress.seconds) >= 1
        figures: dict[str, float] = {}
        if now - validated >= 60 * run.validate_minutes or over:
            figures, validated = stage.validate(), now
        if now - logged >= run.log_seconds or figures or progress.step == 1:
            speed = tokens / max(now - logged, 1e-9)
            told.append(_told(values, place, step=progress.step, seconds=now, share=share, tokens_s=speed, norm=norm))
            told[-1].update(figures)
            _log(told[-1], work, place)
            logged, tokens = now, 0
        if now - saved >= 60 * run.checkpoint_minutes or over:
            _save(stage, progress, work / STATE, place)
            if not over:
                export()
            saved = now
        if over:
            break
    return told


def _update(stage: Stage[B], weights: list[Tensor], run: Run, place: Place, progress: _Progress) -> float:
    """Average, clip each group of weights, step; returns the gradients' norm.

    A step whose gradients are not finite is left out.
    """
    place.average_gradients(weights)
    groups = [group["params"] for optimizer in stage.optimizers for group in optimizer.param_groups]
    norms = [nn.utils.clip_grad_norm_(group, run.rates.clip).to(place.device) for group in groups]
    norm = float(torch.stack(norms).norm().item())
    if isfinite(norm):
        for optimizer in stage.optimizers:
            optimizer.step()
        progress.skipped = 0
    else:
        progress.skipped += 1
        logger.warning("step_skipped step=%d norm=%s in_a_row=%d", progress.step, norm, progress.skipped)
        if progress.skipped >= SKIPS:
            raise FloatingPointError(f"gradients were not finite in {SKIPS} steps in a row, up to step {progress.step}")
    for optimizer in stage.optimizers:
        optimizer.zero_grad(set_to_none=True)
    return norm


def _told(values: dict[str, Tensor], place: Place, **known: float) -> dict[str, float]:
    """Named losses, averaged over processes, beside what is known of the step."""
    mean = place.sum(torch.stack([value.detach().float() for value in values.values()])) / place.world
    return {**known, **dict(zip(values, mean.tolist(), strict=True))}


def _log(line: dict[str, float], work: Path, place: Place) -> None:
    if place.first:
        text = json.dumps({name: round(value, 5) for name, value in line.items()})
        logger.info(text)
        with (work / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(text + "\n")


def _save(stage: Stage[B], progress: _Progress, path: Path, place: Place) -> None:
    """Everything needed to go on, whole or not at all."""
    if place.first:
        state = {
            "model": stage.model.state_dict(),
            "extra": stage.extra.state_dict() if stage.extra is not None else {},
            "optimizers": [optimizer.state_dict() for optimizer in stage.optimizers],
            "progress": {"step": progress.step, "seconds": progress.seconds},
        }
        growing = path.with_suffix(".part")
        torch.save(state, growing)
        growing.replace(path)
    place.wait()


def _restored(stage: Stage[B], path: Path, place: Place) -> _Progress:
    """Weights, optimizers and place of a stopped run; only tensors and plain values are read, never code."""
    try:
        state = torch.load(path, map_location=place.device, weights_only=True)
        stage.model.load_state_dict(state["model"])
        if stage.extra is not None:
            stage.extra.load_state_dict(state["extra"])
        for optimizer, kept in zip(stage.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(kept)
        return _Progress(int(state["progress"]["step"]), float(state["progress"]["seconds"]))
    except (OSError, KeyError, ValueError, RuntimeError) as exc:
        raise InvalidCheckpoint(
            f"{path} cannot be resumed: {exc}.", subject=path, remedy="Start again without --resume."
        ) from exc
