"""Measures a checkpoint: `hmt-qa eval perplexity|retrieval|answers|confidence --data DIR --model CHECKPOINT`.

`--baseline` names another checkpoint's folder, `hmt=`, `rmt=` or `none=` before it says how it is read. The whole
report goes to `--out`, a short table to standard output; with `--json` the report goes there, in one line.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hmt_qa.errors import HmtQaError
from hmt_qa.evaluation.options import Baseline, Options, What
from hmt_qa.evaluation.report import run
from hmt_qa.evaluation.statistics import SEED


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, write; 1 where it could not be done."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    options = Options(
        data=given.data,
        model=given.model,
        baselines=tuple(Baseline.parse(text) for text in given.baseline),
        limit=given.limit,
        lengths=tuple(given.lengths),
        device=given.device,
        dtype=given.dtype,
        keyword_trust=given.keyword_trust,
        minilm=given.minilm,
        reports=given.reports,
        fit=given.fit,
        picture=given.picture,
        seed=given.seed,
    )
    try:
        report = run(What(given.what), options)
    except HmtQaError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(report.as_json(), encoding="utf-8")
    sys.stdout.write(json.dumps(json.loads(report.as_json())) + "\n" if given.json else report.table())
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m hmt_qa.evaluation", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=[what.value for what in What])
    parser.add_argument("--data", type=Path, required=True, help="folder with corpus/ and dev/")
    parser.add_argument("--model", type=Path, required=True, help="the checkpoint's folder")
    parser.add_argument("--baseline", nargs="*", default=[], metavar="[MODE=]DIR")
    parser.add_argument(
        "--limit", type=int, help="questions in all (perplexity: segments a document); 0 for everything"
    )
    parser.add_argument("--lengths", type=int, nargs="*", default=[], help="tokens of joined documents")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--keyword-trust", type=float, help="in the hybrid ranking; the product's own by default")
    parser.add_argument(
        "--minilm", type=Path, help="folder of the baseline's model, where its package is not installed"
    )
    parser.add_argument("--reports", action="store_true", help="retrieval also in the PDF reports")
    parser.add_argument("--fit", action="store_true", help="confidence: fit it to these questions, beside the weights")
    parser.add_argument("--picture", type=Path, metavar="SVG", help="confidence: where the reliability curve is drawn")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--json", action="store_true", help="the whole report on standard output, nothing else")
    parser.add_argument("--out", type=Path, help="where the whole report is written as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
