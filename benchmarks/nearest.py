"""How many of the exact top 10 memories the vector index proposes, by how many it is asked for.

    python benchmarks/nearest.py [--memories 1000000] [--questions 50]

Memories are those of benchmarks/library_made.py. Questions of two kinds: directions near a stored memory
(its vector without what all have in common, and as much noise again), and the model's own folded questions, which have
nothing to do with made-up memories: the hardest case.
"""

from __future__ import annotations

import argparse
import time

import faiss
import numpy as np
from library import PARTS, SEGMENTS, WIDTH, questions
from library_made import Plan, centres, memories

from hmt_qa.app import EMBEDDED_MODEL
from hmt_qa.engine import LocalEngine
from hmt_storage import nearest

TOP = 10
FETCHED = (200, 400, 800, 1200, 1600)


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall of the vector index.")
    parser.add_argument("--memories", type=int, default=1_000_000)
    parser.add_argument("--questions", type=int, default=50)
    chosen = parser.parse_args()
    documents = chosen.memories // (PARTS * SEGMENTS)
    plan = Plan(documents=documents, segments=SEGMENTS, model_id="", parts=PARTS, width=WIDTH)
    begun = time.process_time()
    index = filled(plan)
    print(f"{index.ntotal:,} memories of {WIDTH}; made and indexed in {time.process_time() - begun:.0f} s of processor")
    asked = {"near a memory": near(plan, chosen.questions), "the model's own": own(chosen.questions)}
    for name, (queries, found) in exact(plan, asked).items():
        for fetched in FETCHED:
            begun = time.process_time()
            ids = np.concatenate([index.search(query[None], fetched)[1] for query in queries])
            spent = (time.process_time() - begun) * 1e3 / len(queries)
            hits = sum(len(set(row) & set(right)) for row, right in zip(ids.tolist(), found.tolist(), strict=True))
            print(f"{name:16} fetched {fetched:5}  recall@{TOP} {hits / found.size:.4f}  {spent:.1f} ms of processor")


def filled(plan: Plan) -> faiss.Index:
    middle = centres(plan)
    index = nearest.empty_index(WIDTH, plan.documents * SEGMENTS * PARTS)
    chance = np.random.default_rng(0)
    sample = chance.choice(plan.documents, size=min(plan.documents, 100), replace=False)
    index.train(np.concatenate([memories(plan, int(document), middle).reshape(-1, WIDTH) for document in sample]))
    for document in range(plan.documents):
        values = memories(plan, document, middle).reshape(-1, WIDTH)
        index.add_with_ids(values, (document + 1) * nearest.NUMBERS + np.arange(len(values)))
    return index


def near(plan: Plan, count: int) -> np.ndarray:
    chance, (parts_MD, topics_TD) = np.random.default_rng(5), centres(plan)
    rows = []
    for document in chance.integers(plan.documents, size=count):
        row_D = memories(plan, int(document), (parts_MD, topics_TD))[chance.integers(SEGMENTS), 0]
        apart_D = row_D - parts_MD[0] * (row_D @ parts_MD[0]) / (parts_MD[0] @ parts_MD[0])
        rows.append(apart_D + chance.normal(size=WIDTH) * np.linalg.norm(apart_D) / np.sqrt(WIDTH))
    return np.array(rows, dtype=np.float32)


def own(count: int) -> np.ndarray:
    engine = LocalEngine(EMBEDDED_MODEL)
    encoded = (engine.encode(text).ids for text in questions(count)[:count])
    folded = [np.frombuffer(engine.folded(engine.summarise(ids)), "<f4") for ids in encoded]
    return np.stack(folded)


def exact(plan: Plan, asked: dict[str, np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Numbers of the `TOP` memories by exact product with every one of them."""
    middle = centres(plan)
    best = {name: (np.full((len(rows), TOP), -np.inf), np.zeros((len(rows), TOP), int)) for name, rows in asked.items()}
    for document in range(plan.documents):
        values = memories(plan, document, middle).reshape(-1, WIDTH)
        numbers = (document + 1) * nearest.NUMBERS + np.arange(len(values))
        for name, rows in asked.items():
            scores = np.concatenate([best[name][0], rows @ values.T], axis=1)
            ids = np.concatenate([best[name][1], np.broadcast_to(numbers, (len(rows), len(numbers)))], axis=1)
            order = np.argpartition(-scores, TOP, axis=1)[:, :TOP]
            best[name] = (np.take_along_axis(scores, order, 1), np.take_along_axis(ids, order, 1))
    return {name: (asked[name], found[1]) for name, found in best.items()}


if __name__ == "__main__":
    main()
