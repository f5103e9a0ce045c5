"""Figures as words."""

from __future__ import annotations

from datetime import datetime


def milliseconds(value: float) -> str:
    """`3.2 ms`, `410 ms`, `1.2 s`."""
    return f"{value / 1000:.1f} s" if value >= 1000 else f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def duration(seconds: float) -> str:
    """Seconds in words, two units at most."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s" if whole else "under 1 s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def plural(count: int, thing: str) -> str:
    """`1 page`, `2,000 pages`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def day(moment: datetime) -> str:
    """`02 Jan 2026`, here."""
    return f"{moment.astimezone():%d %b %Y}"
