"""Measures speed: `hmt-qa bench ingest|ask|recall|scale [--json]`, on whatever machine this is.

`--shape 8b` takes random weights of a larger backbone. A table goes to standard output; with `--json` the report.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from hmt_qa.bench import scale
from hmt_qa.bench.report import Report
from hmt_qa.bench.shapes import SHAPES, ShapedEngine
from hmt_qa.engine import LocalEngine
from hmt_qa.errors import HmtQaError

EMBEDDED = Path(__file__).parents[1] / "assets" / "hmt-small"


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, print; 1 where it could not be done."""
    given = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    try:
        report = _measured(given)
    except HmtQaError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    if given.out:
        given.out.parent.mkdir(parents=True, exist_ok=True)
        given.out.write_text(report.as_json() + "\n", encoding="utf-8")
    if given.picture:
        given.picture.write_text(scale.picture(report), encoding="utf-8")
    sys.stdout.write(report.as_json() + "\n" if given.json else report.table())
    return 0


def _measured(given: argparse.Namespace) -> Report:
    from hmt_qa.bench import ask, ingest, recall, replicas

    place = {"device": given.device, "dtype": given.dtype}
    engine = ShapedEngine(given.model, given.shape, **place) if given.shape else LocalEngine(given.model, **place)
    if given.what == "ingest" and given.replicas:
        shared = ingest.Sizes(tokens=given.tokens, documents=given.documents)
        return replicas.replicas(given.model, given.replicas, shared, device=engine.machine.device)
    if given.what == "ingest":
        sizes = ingest.Sizes(tokens=given.tokens, documents=given.documents, baselines=not given.alone)
        return ingest.ingest(engine, sizes, minilm=given.minilm)
    if given.what == "ask":
        lengths = tuple(given.lengths or ask.Sizes().lengths)
        return ask.ask(engine, ask.Sizes(lengths=lengths, context=not given.alone))
    if given.what == "recall":
        device = engine.machine.device
        rows = given.lengths or (recall.Sizes().rows if device.type == "cuda" else recall.ROWS_ON_CPU)
        return recall.measure_recall(device, recall.Sizes(rows=tuple(rows)))
    return scale.scale(engine, scale.Sizes(lengths=tuple(given.lengths or scale.Sizes().lengths)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hmt-qa bench", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["ingest", "ask", "recall", "scale"])
    parser.add_argument("--model", type=Path, default=EMBEDDED, help="the checkpoint's folder")
    parser.add_argument("--shape", choices=sorted(SHAPES), help="random weights of this shape instead")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--tokens", type=int, default=100_000, help="ingest: tokens a document")
    parser.add_argument("--documents", type=int, default=64, help="ingest: documents side by side")
    parser.add_argument("--replicas", type=int, default=0, help="ingest: GPUs with a model each, against one")
    parser.add_argument("--lengths", type=int, nargs="*", help="ask, scale: tokens of the documents; recall: rows")
    parser.add_argument("--alone", action="store_true", help="without the baselines")
    parser.add_argument("--minilm", type=Path, help="folder of all-MiniLM-L6-v2; by default the installed package's")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output and nothing else")
    parser.add_argument("--picture", type=Path, help="scale: also draw time and memory against length there, as SVG")
    parser.add_argument("--out", type=Path, help="also write the JSON there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
