"""One JSON object for a run, and a short table of its main figures; prints nothing."""

from __future__ import annotations

import json
import math
import platform
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from hmt_qa.evaluation.figures import HEADLINE, POOLED, REPORTS, Figure, Results
from hmt_qa.evaluation.options import Options, What
from hmt_qa.evaluation.statistics import LEVEL, RESAMPLES

_SHOWN = {
    What.PERPLEXITY: frozenset({"perplexity", "perplexity ratio"}),
    What.RETRIEVAL: frozenset({"recall@5", "mrr"}),
    What.ANSWERS: frozenset({"f1", "unanswerable accuracy"}),
    What.CONFIDENCE: frozenset({"ece", "aurc", "wrong of answered", "right kept", "unanswerable accuracy"}),
}
_GROUPS = (HEADLINE, POOLED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was run on which machine with which model, and what came out."""

    what: What
    model: str
    baselines: tuple[str, ...]
    machine: str
    seconds: float
    seed: int
    results: Results

    def as_json(self) -> str:
        """Everything, for files and for `--json`; figures that could not be computed are null."""
        content: dict[str, Any] = {
            "what": self.what.value,
            "model": self.model,
            "baselines": list(self.baselines),
            "machine": self.machine,
            "seconds": round(self.seconds, 1),
            "seed": self.seed,
            "intervals": {"method": "paired percentile bootstrap", "level": LEVEL, "resamples": RESAMPLES},
            "sizes": self.results.sizes,
            "notes": list(self.results.notes),
            "figures": [_row(figure) for figure in self.results.figures],
        }
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def table(self) -> str:
        """The main figures over all sets and of the headline set, in aligned columns."""
        rows: list[tuple[str, ...]] = [("set", "length", "who", "metric", "value", "95 % interval", "n")]
        rows += [
            _line(f)
            for f in self.results.figures
            if f.metric in _SHOWN[self.what] and (f.group in _GROUPS or f.group.startswith(REPORTS))
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([f"{self.what}: {self.model}", f"{self.machine}, {self.seconds:.0f} s", *lines]) + "\n"


def run(what: What, options: Options) -> Report:
    """Evaluate and wrap up; raises what the evaluation raises."""
    from hmt_qa.evaluation import answers, confidence, perplexity, retrieval
    from hmt_qa.model.checkpoint import Checkpoint

    begun = perf_counter()
    if what is What.PERPLEXITY:
        results = perplexity.evaluate(options)
    elif what is What.RETRIEVAL:
        results = retrieval.evaluate(options)
    elif what is What.CONFIDENCE:
        results = confidence.evaluate(options)
    else:
        results = answers.evaluate(options)
    return Report(
        what=what,
        model=Checkpoint.open(options.model).model_id,
        baselines=tuple(Checkpoint.open(baseline.directory).model_id for baseline in options.baselines),
        machine=_machine(options),
        seconds=perf_counter() - begun,
        seed=options.seed,
        results=results,
    )


def _machine(options: Options) -> str:
    from hmt_qa.model.machine import Machine, cpu_name

    machine = Machine.choose(device=options.device, dtype=options.dtype)
    processor = f" ({cpu_name()})" if machine.device.type == "cpu" else ""
    return f"{machine.name}{processor} python={platform.python_version()}"


def _row(figure: Figure) -> dict[str, Any]:
    estimate = figure.estimate
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {
        "set": figure.group,
        "length": figure.length,
        "method": figure.method,
        "metric": figure.metric,
        **{name: None if math.isnan(value) else round(value, 6) for name, value in numbers.items()},
        "count": estimate.count,
    }


def _line(figure: Figure) -> tuple[str, ...]:
    estimate = figure.estimate
    length = str(figure.length) if figure.length else "-"
    interval = f"{estimate.low:.4f} to {estimate.high:.4f}"
    return figure.group, length, figure.method, figure.metric, f"{estimate.value:.4f}", interval, str(estimate.count)
