"""Started by a test: reads random segments on from where another process stopped; prints the new rows in hex.

python read_in_another_process.py CHECKPOINT SEGMENTS COMMITTED TAIL_HEX
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from hmt_qa.engine import LocalEngine
from tests.hmt_qa.models import random_segments


def main() -> None:
    checkpoint, count, committed, tail = sys.argv[1:]
    torch.set_num_threads(1)
    engine = LocalEngine(Path(checkpoint), device="cpu", dtype="float32")
    for _, row in engine.read(random_segments(int(count)), committed=int(committed), tail=bytes.fromhex(tail)):
        sys.stdout.write(row.hex() + "\n")


if __name__ == "__main__":
    main()
