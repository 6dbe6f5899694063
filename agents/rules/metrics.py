"""Rates with their uncertainty, and a metric against its target in words."""

from __future__ import annotations

import math
from typing import Literal

Direction = Literal["up", "down"]


def wilson(hits: int, total: int, *, z: float = 1.96) -> tuple[float, float]:
    """The Wilson score interval of hits/total, both ends 0 to 1; (0, 1) when there is nothing yet."""
    if total <= 0:
        return 0.0, 1.0
    share, square = hits / total, z * z
    middle = share + square / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    scale = 1 + square / total
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def is_failing(failed: int, total: int, acceptable_rate: float, min_sample: int) -> bool:
    """Whether failed/total passes the acceptable rate (0 to 1), once there are at least `min_sample`."""
    return total >= max(1, min_sample) and failed > acceptable_rate * total


def is_met(value: float, target: float, *, direction: Direction) -> bool:
    """Whether the target is reached; exactly on it counts."""
    return value >= target if direction == "up" else value <= target


def metric_words(value: float | None, target: float, *, unit: str, direction: Direction) -> str:
    """One short sentence: "12 meetings, target at least 10: met"."""
    per_cent = " %" if unit == "%" else ""
    bound = f"target {'at least' if direction == 'up' else 'at most'} {_figure(target)}{per_cent}"
    if value is None:
        return f"No {unit} measured yet, {bound}"
    met = "met" if is_met(value, target, direction=direction) else "missed"
    return f"{_figure(value)} {unit}, {bound}: {met}"


def rate_words(hits: int, total: int) -> str:
    """ "41 of 50 (82 %, 69 to 90 %)": the share with its 95 % interval; "none yet" for nothing."""
    if total <= 0:
        return "none yet"
    low, high = wilson(hits, total)
    return f"{hits} of {total} ({hits / total:.0%}, {low:.0%} to {high:.0%})".replace("%", " %")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}".rstrip("0")
