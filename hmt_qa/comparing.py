"""Which pages of two documents differ, and how far in meaning: from the chain of states, the text and the memories.

Shapes: N segments · M memories a segment · D hidden size · P pages · V = M x D.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np
import torch
from torch import Tensor

from hmt_qa.heat import page_shares
from hmt_qa.types import Change, PageChange, PageSpan, StoredSegment

GAP = 1.0  # what a page without a counterpart costs: a replaced page is a changed one, however far it is
SAME = 1e-3  # without text, memories closer than this are taken for those of one text

Pair = tuple[int | None, int | None]  # indices of pages, old and new


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is known of one document."""

    rows_NMD: Tensor
    segments: Sequence[StoredSegment]
    state_ids: Sequence[str]
    pages: Sequence[PageSpan]

    @property
    def text(self) -> str:
        """The whole text; empty where only the memory was imported."""
        return "".join(segment.text for segment in self.segments)


def compare(old: Content, new: Content) -> list[PageChange]:
    """Pages that changed, were added or removed, the furthest in meaning first."""
    vectors_PV = _centred(_page_vectors(old), _page_vectors(new))
    similar_PP = vectors_PV[0] @ vectors_PV[1].T
    with_text = bool(old.text and new.text)
    found = []
    for before, after in _pairs(old, new, similar_PP):
        change, distance = _judge(before, after, similar_PP)
        if with_text or distance > SAME:
            pages = (None if before is None else old.pages[before], None if after is None else new.pages[after])
            found.append((distance, change, *pages))
    found.sort(key=lambda item: (-item[0], item[3].number if item[3] else 0, item[2].number if item[2] else 0))
    return [
        PageChange(rank=rank, change=change, old=before, new=after, distance=distance)
        for rank, (distance, change, before, after) in enumerate(found, 1)
    ]


def _judge(before: int | None, after: int | None, similar_PP: np.ndarray) -> tuple[Change, float]:
    if before is None:
        return Change.ADDED, float(1 - similar_PP[:, after].max())
    if after is None:
        return Change.REMOVED, float(1 - similar_PP[before].max())
    return Change.CHANGED, float(1 - similar_PP[before, after])


def _pairs(old: Content, new: Content, similar_PP: np.ndarray) -> Iterator[Pair]:
    """Counterparts that are not known to be equal. Equal pages are anchors: between them, the memories decide."""
    names = [_names(content, shared=_shared(old, new)) for content in (old, new)]
    matcher = SequenceMatcher(None, names[0], names[1], autojunk=False)
    for kind, old_from, old_to, new_from, new_to in matcher.get_opcodes():
        if kind != "equal":
            block = similar_PP[old_from:old_to, new_from:new_to]
            for before, after in _aligned(1 - block):
                yield (
                    None if before is None else old_from + before,
                    None if after is None else new_from + after,
                )


def _shared(old: Content, new: Content) -> int:
    """Characters at the beginning that are equal by the chain: equal states have read equal text."""
    count = 0
    for before, after in zip(old.state_ids, new.state_ids, strict=False):
        if before != after:
            break
        count += 1
    return old.segments[count - 1].char_end if count else 0


def _names(content: Content, *, shared: int) -> list[object]:
    """Pages with equal names are equal; without text, only those that the chain knows have one."""
    text = content.text

    def name(page: PageSpan) -> object:
        if page.char_end <= shared:
            return page.number, page.char_end
        return text[page.char_start : page.char_end] if text else page

    names = [name(page) for page in content.pages]
    # A page without text compares by what it is, and a page of the other document is never that.
    return [(id(content), index) if isinstance(one, PageSpan) else one for index, one in enumerate(names)]


def _page_vectors(content: Content) -> np.ndarray:
    """What the memories hold of each page, (P, V): the mean over its segments, by the characters they share."""
    rows_NV = content.rows_NMD.flatten(1).to("cpu", torch.float32).numpy()
    vectors_PV = np.zeros((len(content.pages), rows_NV.shape[1]), dtype=np.float32)
    for row_V, segment in zip(rows_NV, content.segments, strict=True):
        for number, share in page_shares(segment, content.pages):
            vectors_PV[number - 1] += share * (segment.char_end - segment.char_start or 1) * row_V
    spans_P = np.array([max(page.char_end - page.char_start, 1) for page in content.pages], dtype=np.float32)
    return vectors_PV / spans_P[:, None]


def _centred(*groups: np.ndarray) -> list[np.ndarray]:
    """Unit vectors without what all pages have in common, which in hidden states is most of their length."""
    mean_V = np.concatenate(groups).mean(axis=0)
    return [
        (group - mean_V) / np.maximum(np.linalg.norm(group - mean_V, axis=1, keepdims=True), 1e-9) for group in groups
    ]


def _aligned(distances: np.ndarray) -> list[Pair]:
    """The cheapest pairing that keeps the order of both sides: a pair costs its distance, a single page `GAP`."""
    olds, news = distances.shape
    columns = GAP * np.arange(news + 1, dtype=np.float32)
    costs = columns.copy()
    steps = np.zeros((olds + 1, news + 1), dtype=np.uint8)  # 0 pair, 1 old alone, 2 new alone
    steps[0] = 2
    for row in range(olds):
        alone = costs + GAP
        paired = np.concatenate([[np.inf], costs[:-1] + distances[row]]).astype(np.float32)
        steps[row + 1] = paired > alone
        reached = np.minimum(paired, alone)
        # From the left, each further page alone adds GAP: a running minimum of what is above that line.
        costs = np.minimum.accumulate(reached - columns) + columns
        steps[row + 1][costs < reached - 1e-6] = 2
    pairs: list[Pair] = []
    old, new = olds, news
    while old or new:
        step = steps[old, new]
        old, new = old - (step != 2), new - (step != 1)
        pairs.append((None if step == 2 else old, None if step == 1 else new))
    return pairs[::-1]
