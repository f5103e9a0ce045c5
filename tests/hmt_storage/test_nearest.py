"""The vector index proposes what exact products would, and follows every change of the library."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from hmt_qa.types import Place, SourceFile
from hmt_storage.library import INDEX_FOLDER, SqlLibrary

PARTS, WIDTH, SEGMENTS, MODEL = 2, 16, 15, "model-1"


def values(seed: int) -> np.ndarray:
    """(segments, parts, width): around a centre of its own."""
    chance = np.random.default_rng(seed)
    return (chance.normal(size=WIDTH) + 0.5 * chance.normal(size=(SEGMENTS, PARTS, WIDTH))).astype("<f4")


def add(library: SqlLibrary, sample, number: int, seed: int) -> str:
    written = sample("".join(f"{seed:04} {place:06}\n" for place in range(SEGMENTS)), length=12, path=f"/{number}")
    ingestion = written.begin(library, hidden=PARTS * WIDTH)
    for segment, row in zip(written.segments, values(seed), strict=True):
        pages = written.pages_of(segment)
        ingestion.commit(segment, memory_row=row.tobytes(), state_id=written.state_id(segment), pages=pages)
    return ingestion.finish().id


def exact(query: np.ndarray, seeds: dict[str, int], top: int) -> list[Place]:
    scores = {
        Place(document=document, segment=segment): product
        for document, seed in seeds.items()
        for segment, product in enumerate((values(seed) @ query).max(axis=1))
    }
    return sorted(scores, key=lambda place: -scores[place])[:top]


def agreement(library: SqlLibrary, seeds: dict[str, int], *, top: int = 10) -> float:
    """Share of the exact `top` among the proposals, over questions near what is stored."""
    hits = 0
    for seed in list(seeds.values())[:20]:
        query = values(seed)[3, 0]
        near = library.nearest(query.tobytes(), parts=PARTS, documents=list(seeds), top=4 * top)
        assert len(near) == len(set(near)) <= 4 * top
        hits += len(set(near) & set(exact(query, seeds, top)))
    return hits / (top * len(list(seeds)[:20]))


@pytest.fixture
def seeds(library, sample) -> dict[str, int]:
    return {add(library, sample, number, number): number for number in range(16)}


def test_what_is_proposed_holds_what_exact_products_find(library, seeds):
    assert agreement(library, seeds) > 0.97


def test_only_documents_asked_are_proposed_and_all_of_few_can_be(library, seeds):
    asked = list(seeds)[5:8]
    query = values(30)[0, 0].tobytes()
    near = library.nearest(query, parts=PARTS, documents=asked, top=1000)
    assert {place.document for place in near} == set(asked)
    assert library.nearest(query, parts=PARTS, documents=[], top=5) == []


def test_added_removed_replaced_and_copied_documents_are_followed(library, sample, seeds):
    assert agreement(library, seeds) > 0.97
    first, second, *_ = seeds
    library.remove(first)
    del seeds[first]
    assert agreement(library, seeds) > 0.97
    assert add(library, sample, 1, 101) == second
    seeds[second] = 101
    seeds[add(library, sample, 77, 177)] = 177
    assert agreement(library, seeds) > 0.97
    near = library.nearest(values(177)[3, 0].tobytes(), parts=PARTS, documents=list(seeds), top=1)
    assert [place.document for place in near] == [list(seeds)[-1]]
    last = library.document(list(seeds)[-1])
    copy = SourceFile(path="/copy", collection="c", sha256=last.sha256, size_bytes=1)
    adopted = library.adopt(copy, reader="text", model_id=MODEL, title="copy")
    near = library.nearest(values(177)[3, 0].tobytes(), parts=PARTS, documents=[*seeds, adopted.id], top=2)
    assert {place.document for place in near} == {last.id, adopted.id}


def test_the_index_is_read_again_not_built_again(library, seeds, tmp_path, monkeypatch):
    query = values(3)[0, 0].tobytes()
    before = library.nearest(query, parts=PARTS, documents=list(seeds), top=20)
    again = SqlLibrary.open(tmp_path)
    monkeypatch.setattr(again._vectors._index, "_build", None)
    assert again.nearest(query, parts=PARTS, documents=list(seeds), top=20) == before
    again.close()


@pytest.mark.parametrize("damage", ["manifest", "index", "both", "stale", "other"])
def test_an_index_that_is_lost_damaged_or_of_something_else_is_built_again(library, seeds, tmp_path, damage):
    agreement(library, seeds)
    folder = tmp_path / INDEX_FOLDER
    (file,) = folder.glob("memories-*.faiss")
    manifest = folder / "manifest.json"
    if damage in {"manifest", "both"}:
        manifest.write_text("{")
    if damage in {"index", "both"}:
        file.write_bytes(hashlib.sha256(b"x").digest() * 100)
    if damage in {"stale", "other"}:
        held = json.loads(manifest.read_text())
        changed = {"states": dict.fromkeys(held["states"], "other")} if damage == "stale" else {"model_id": "other"}
        manifest.write_text(json.dumps(held | changed))
    again = SqlLibrary.open(tmp_path)
    assert agreement(again, seeds) > 0.97
    again.close()
    assert json.loads(manifest.read_text())["model_id"] == MODEL
    assert len(list(folder.glob("memories-*.faiss"))) == 1


def test_no_code_of_a_removed_memory_stays_on_disk(library, tmp_path, seeds):
    assert agreement(library, seeds) > 0.97
    folder = tmp_path / INDEX_FOLDER
    assert list(folder.iterdir())
    gone = next(iter(seeds))
    library.remove(gone)
    assert not list(folder.iterdir())
    left = {document: seed for document, seed in seeds.items() if document != gone}
    assert agreement(library, left) > 0.97
    (manifest,) = folder.glob("manifest.json")
    assert len(json.loads(manifest.read_text())["states"]) == len(left)
