"""Time and memory against length as an SVG picture; knows numbers only. Both axes are logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, floor, log10

WIDTH, HEIGHT, MARGIN = 420, 260, 56  # pixels
_STYLE = "font: 12px sans-serif"
_COLOURS = ("#1f5fa8", "#b34700", "#2e7d32")


def draw(curves: Mapping[str, Mapping[int, float]]) -> str:
    """A line for each name, over lengths in tokens; values above 0, each name with its unit."""
    lengths = [log10(length) for curve in curves.values() for length in curve]
    values = [log10(value) for curve in curves.values() for value in curve.values()]
    across, up = _Axis(lengths, MARGIN, WIDTH), _Axis(values, MARGIN + HEIGHT, -HEIGHT)
    lines = "".join(
        _line(name, curve, across, up, colour) for (name, curve), colour in zip(curves.items(), _COLOURS, strict=False)
    )
    ticks = "".join(
        f'<text x="{across.at(power)}" y="{MARGIN + HEIGHT + 18}" text-anchor="middle">{10**power:,}</text>'
        for power in across.powers
    ) + "".join(
        f'<text x="{MARGIN - 6}" y="{up.at(power) + 4}" text-anchor="end">{10.0**power:g}</text>' for power in up.powers
    )
    whole_width, whole_height = WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole_width} {whole_height}" style="{_STYLE}" '
        f'role="img" aria-label="Time and memory against length">'
        f'<rect width="{whole_width}" height="{whole_height}" fill="#fff"/>'
        f'<path d="M{MARGIN} {MARGIN}V{MARGIN + HEIGHT}H{MARGIN + WIDTH}" stroke="#222" fill="none"/>{lines}{ticks}'
        f'<text x="{MARGIN + WIDTH / 2}" y="{whole_height - 14}" text-anchor="middle">tokens</text></svg>\n'
    )


class _Axis:
    """Whole powers of ten around some exponents, on so many pixels from a first one."""

    def __init__(self, exponents: list[float], first: float, pixels: float) -> None:
        low, high = floor(min(exponents)), ceil(max(exponents))
        self.powers = range(low, max(high, low + 1) + 1)
        self._first, self._step = first, pixels / (len(self.powers) - 1)

    def at(self, exponent: float) -> float:
        return round(self._first + (exponent - self.powers[0]) * self._step, 1)


def _line(name: str, curve: Mapping[int, float], across: _Axis, up: _Axis, colour: str) -> str:
    points = [(across.at(log10(length)), up.at(log10(value))) for length, value in sorted(curve.items())]
    path = "M" + "L".join(f"{left} {top}" for left, top in points)
    dots = "".join(f'<circle cx="{left}" cy="{top}" r="3" fill="{colour}"/>' for left, top in points)
    label = f'<text x="{MARGIN + 8}" y="{16 * (1 + _COLOURS.index(colour))}" fill="{colour}">{name}</text>'
    return f'<path d="{path}" stroke="{colour}" fill="none"/>{dots}{label}'
