"""Times recall over one memory of 1e3 to 1e6 rows, beside what the device's own copy reaches.

python benchmarks/recall.py [--hidden 512] [--dtype bfloat16]... [--rows 1000]... [--json]
"""

from __future__ import annotations

import argparse

import torch

from hmt_qa.bench.recall import Sizes, measure_recall

ROWS_ON_CPU = (1_000, 10_000, 100_000)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time recall over long memories.")
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--dtype", action="append", choices=Sizes().dtypes)
    parser.add_argument("--rows", type=int, action="append")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    chosen = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    rows = Sizes().rows if device.type == "cuda" else ROWS_ON_CPU
    sizes = Sizes(hidden=chosen.hidden, rows=tuple(chosen.rows or rows), dtypes=tuple(chosen.dtype or Sizes().dtypes))
    report = measure_recall(device, sizes)
    print(report.as_json() if chosen.json else report.table())


if __name__ == "__main__":
    main()
