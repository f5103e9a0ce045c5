"""What an evaluation is asked to do; a value made at the edge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from hmt_qa.evaluation.losses import ReadingMode
from hmt_qa.evaluation.statistics import SEED


class What(StrEnum):
    """The evaluations."""

    PERPLEXITY = "perplexity"
    RETRIEVAL = "retrieval"
    ANSWERS = "answers"
    CONFIDENCE = "confidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """Another checkpoint to stand against; without a mode it is read as its configuration suggests."""

    directory: Path
    mode: ReadingMode | None = None

    @classmethod
    def parse(cls, text: str) -> Baseline:
        """`DIRECTORY`, or `hmt=`, `rmt=` or `none=` and the directory."""
        mode, equals, directory = text.partition("=")
        if equals and mode in set(ReadingMode):
            return cls(directory=Path(directory), mode=ReadingMode(mode))
        return cls(directory=Path(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything an evaluation depends on beside the code.

    data: a folder with corpus/ and dev/. limit: questions in all, shared out evenly over the sets (`perplexity`:
    segments of each document); None for the default, 0 for everything. lengths: tokens of joined documents; empty for
    the default. keyword_trust: of the hybrid ranking; None for the product's own. minilm: folder with the baseline's
    config.json, tokenizer.json and model.safetensors; None to look for the package. reports: also the PDF reports.
    fit: first fit the confidence to these questions and write it beside the model's weights. picture: where the
    reliability curve is drawn (SVG).
    """

    data: Path
    model: Path
    baselines: tuple[Baseline, ...] = ()
    limit: int | None = None
    lengths: tuple[int, ...] = ()
    device: str = "auto"
    dtype: str = "auto"
    keyword_trust: float | None = None
    minilm: Path | None = None
    reports: bool = False
    fit: bool = False
    picture: Path | None = None
    seed: int = SEED
