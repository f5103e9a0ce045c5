"""The reliability curve as an SVG picture; knows bins only."""

from __future__ import annotations

from collections.abc import Sequence

from hmt_qa.evaluation.calibration import BINS, Bin

SIDE, MARGIN = 320, 48  # pixels
_STYLE = "font: 12px sans-serif"


def draw(bins: Sequence[Bin], *, threshold: float) -> str:
    """Share of right answers over confidence: a bar a bin with its count, the diagonal, the threshold."""
    whole = SIDE + 2 * MARGIN
    bars = "".join(map(_bar, bins))
    ticks = "".join(_tick(number / 5) for number in range(6))
    at = _across(threshold)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {whole}" style="{_STYLE}" role="img" '
        f'aria-label="Share of right answers over confidence">'
        f'<rect width="{whole}" height="{whole}" fill="#fff"/>{bars}'
        f'<path d="M{_across(0)} {_up(0)}L{_across(1)} {_up(1)}" stroke="#555" stroke-dasharray="4 4"/>'
        f'<path d="M{at} {_up(0)}L{at} {_up(1)}" stroke="#b34700"/>'
        f'<text x="{at + 4}" y="{_up(1) + 12}" fill="#b34700">threshold</text>'
        f'<path d="M{_across(0)} {_up(1)}V{_up(0)}H{_across(1)}" stroke="#222" fill="none"/>{ticks}'
        f'<text x="{whole / 2}" y="{whole - 8}" text-anchor="middle">confidence</text>'
        f'<text x="12" y="{whole / 2}" text-anchor="middle" transform="rotate(-90 12 {whole / 2})">right</text></svg>\n'
    )


def _bar(one: Bin) -> str:
    left, top, height = _across(one.low), _up(one.right), round(SIDE * one.right, 1)
    middle = left + SIDE / BINS / 2
    return (
        f'<rect x="{left + 2}" y="{top}" width="{SIDE / BINS - 4}" height="{height}" fill="#4a7ab5"/>'
        f'<text x="{middle}" y="{top - 4}" text-anchor="middle">{one.count}</text>'
    )


def _tick(value: float) -> str:
    return (
        f'<text x="{_across(value)}" y="{_up(0) + 16}" text-anchor="middle">{value:g}</text>'
        f'<text x="{MARGIN - 6}" y="{_up(value) + 4}" text-anchor="end">{value:g}</text>'
    )


def _across(value: float) -> float:
    return round(MARGIN + SIDE * value, 1)


def _up(value: float) -> float:
    return round(MARGIN + SIDE * (1 - value), 1)
