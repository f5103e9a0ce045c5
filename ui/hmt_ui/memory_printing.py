"""What the commands about memories print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from hmt_qa.types import PageChange, PageWeight
from hmt_ui.printing import line, printable

_BAR = 40  # characters of the longest bar


def changes(rows: Sequence[PageChange], *, as_json: bool) -> None:
    """Pages that are not the same."""
    for row in rows:
        old, new = row.old, row.new
        if as_json:
            line(
                {
                    "rank": row.rank,
                    "change": str(row.change),
                    "page_old": old and old.number,
                    "page_new": new and new.number,
                    "page_label_old": old and old.label,
                    "page_label_new": new and new.label,
                    "distance": round(row.distance, 6),
                }
            )
        else:
            pages = f"page {old.number if old else '-'} → {new.number if new else '-'}"
            print(f"{row.rank:4}. {row.change:8} {pages:20} distance {row.distance:.3f}")
    if not rows and not as_json:
        print("No page differs.")


def heat(weights: Sequence[PageWeight], *, as_json: bool) -> None:
    """A line a page."""
    most = max((page.weight for page in weights), default=0.0) or 1.0
    for page in weights:
        if as_json:
            line(asdict(page))
        else:
            bar = "█" * round(_BAR * page.weight / most)
            print(f"{page.page:5}  {page.weight:.4f}  {bar:{_BAR}}  {printable(page.page_label)}".rstrip())
