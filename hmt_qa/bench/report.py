"""What a benchmark found, as lines for people and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from hmt_qa.bench.limits import Limits, Machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number. `bar` is what the project asks of a GPU, where it asks anything."""

    name: str
    value: float
    unit: str
    bar: float | None = None


@dataclass(slots=True, kw_only=True)
class Report:
    """Figures of one run on one machine."""

    what: str
    machine: Machine
    limits: Limits
    setting: str
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, name: str, value: float, unit: str, *, bar: float | None = None) -> float:
        """Note a figure and give its value back."""
        self.figures.append(Figure(name=name, value=value, unit=unit, bar=bar))
        return value

    def as_json(self) -> str:
        """The whole report in one line."""
        return json.dumps(asdict(self))

    def table(self) -> str:
        """A line a figure, below the machine and its limits."""
        head = [
            f"{self.what}: {self.machine.device}, {self.machine.cpus} cores, load {self.machine.load}, "
            f"torch {self.machine.torch}, transformers {self.machine.transformers}, python {self.machine.python}",
            f"limits measured here: copy {self.limits.copy_bytes / 1e12:.2f} TB/s, bfloat16 matrices "
            f"{self.limits.matrix_rate / 1e12:.1f} TFLOP/s",
            self.setting,
        ]
        width = max((len(figure.name) for figure in self.figures), default=0)
        lines = [_line(figure, width) for figure in self.figures]
        return "\n".join([*head, *lines, *self.notes]) + "\n"


def _line(figure: Figure, width: int) -> str:
    bar = "" if figure.bar is None else f"   (bar {figure.bar:g})"
    return f"  {figure.name:<{width}}  {_short(figure.value):>12} {figure.unit}{bar}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
