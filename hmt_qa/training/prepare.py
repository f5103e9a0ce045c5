"""Makes everything that stages cache in the work folder, before any of them starts.

python -m hmt_qa.training.prepare --data DIR --work DIR [--init CHECKPOINT]
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from time import monotonic

from hmt_qa.training import jsonl
from hmt_qa.training.data import open_tokenizer, text_store
from hmt_qa.training.questions import QuestionSets

EMBEDDED = Path(__file__).resolve().parents[1] / "assets" / "hmt-small"
logger = logging.getLogger("hmt_qa.training")


def prepare(data: Path, work: Path, init: Path) -> None:
    """Tokens of the shards, the filings and the held-out documents, and the question sets."""
    tokenizer = open_tokenizer(init)
    for pattern in ("valid.jsonl.zst", "shard_*.jsonl.zst", "sec_filings*.jsonl.zst"):
        begun = monotonic()
        store = text_store(jsonl.find(data, pattern), work, tokenizer)
        logger.info("text documents=%d tokens=%d seconds=%.0f", len(store), len(store.tokens_T), monotonic() - begun)
    begun = monotonic()
    sets = QuestionSets.open(data, work, tokenizer)
    logger.info("questions=%d contexts=%d seconds=%.0f", len(sets.context_Q), len(sets.source_C), monotonic() - begun)


def main() -> None:
    """See the module's docstring."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--init", type=Path, default=EMBEDDED)
    options = parser.parse_args()
    prepare(options.data, options.work, options.init)


if __name__ == "__main__":
    main()
