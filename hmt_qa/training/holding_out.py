"""Sets whole documents of the question sets apart, to choose by: what is tuned on development sets flatters itself.

    python -m hmt_qa.training.holding_out --data DIR --out DIR [--share 0.03]

OUT/qa holds the questions to train on, OUT/dev/SOURCE those set apart, in the form of the development sets, so that
`hmt-qa eval --data OUT` measures on them. Which documents are set apart depends on their names alone.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import sys
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hmt_qa.training import jsonl

logger = logging.getLogger("hmt_qa.training")

Line = Mapping[str, Any]


def hold_out(data: Path, out: Path, share: float) -> dict[str, int]:
    """Write both parts; returns how many questions of each source were set apart."""
    contexts = [line for path in jsonl.find(data, "qa_contexts*.jsonl.zst") for line in jsonl.lines(path)]
    asked = [line for path in jsonl.find(data, "qa_train*.jsonl.zst") for line in jsonl.lines(path)]
    apart = {line["ctx_id"] for line in asked if is_apart(f"{line['source']}/{line['doc_id']}", share)}
    jsonl.write(out / "qa" / "qa_contexts.jsonl.zst", (line for line in contexts if line["ctx_id"] not in apart))
    jsonl.write(out / "qa" / "qa_train.jsonl.zst", (line for line in asked if line["ctx_id"] not in apart))
    for name, chosen in (("contexts", contexts), ("qa", asked)):
        of_source: dict[str, list[Line]] = defaultdict(list)
        for line in chosen:
            if line["ctx_id"] in apart:
                of_source[line["source"]].append(line)
        for source, rows in of_source.items():
            jsonl.write(out / "dev" / source / f"{name}.jsonl.zst", rows)
    return {source: len(rows) for source, rows in of_source.items()}


def is_apart(document: str, share: float) -> bool:
    """Whether the hash of a document's name falls into the share."""
    return int.from_bytes(hashlib.sha256(document.encode()).digest()[:4]) < share * 2**32


def main() -> None:
    """See the module's docstring."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--share", type=float, default=0.03)
    options = parser.parse_args()
    logger.info("set_apart %s", hold_out(options.data, options.out, options.share))


if __name__ == "__main__":
    main()
