"""Small figures drawn on the server as inline SVG: no script, no style attribute, a title for screen readers."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

Number = float | int
WIDTH, HEIGHT = 96, 24
DASH = 0.012
"""Of the width: how long a value that stands alone is drawn."""


def path(values: Sequence[Number | None], low: float, high: float, width: float, height: float) -> str:
    """An SVG path through the values, evenly spaced; None leaves a gap, a value between two gaps is a short dash."""
    step = width / max(1, len(values) - 1)
    scale = height / ((high - low) or 1)
    known = [value is not None for value in values]
    parts = []
    for index, value in enumerate(values):
        if value is None:
            continue
        x, y = index * step, height - (float(value) - low) * scale
        before, after = index > 0 and known[index - 1], index + 1 < len(known) and known[index + 1]
        if before or after:
            parts.append(f"{'L' if before else 'M'}{x:.1f} {y:.1f}")
        else:
            dash = width * DASH
            parts.append(f"M{min(max(0, x - dash / 2), width - dash):.1f} {y:.1f}h{dash:.1f}")
    return "".join(parts)


def bounds(values: Sequence[Number | None], target: Number | None) -> tuple[float, float]:
    """What the vertical axis spans: from zero or less to the largest of values and target, never empty."""
    known = [float(value) for value in [*values, target] if value is not None]
    low, high = min([0.0, *known]), max([0.0, *known])
    return low, high if high > low else low + 1


def short(value: float) -> str:
    """`1234` → `1.2k`, `0.125` → `0.13`, `40.0` → `40`."""
    if abs(value) >= 10_000:
        return f"{value / 1000:.0f}k"
    if abs(value) >= 1000:
        return f"{value / 1000:.1f}k"
    return f"{value:.0f}" if value == int(value) or abs(value) >= 10 else f"{value:.2g}"


@register.simple_tag
def sparkline(
    values: Sequence[Number | None], *, target: Number | None = None, label: str = "", kind: str = ""
) -> SafeString:
    """A line of a word's size with its target dashed; oldest first. `kind` colours it by state."""
    known = [value for value in values if value is not None]
    if not known:
        return format_html('<span class="muted">{}</span>', "no data yet")
    low, high = bounds(values, target)
    says = f"{label or 'Trend'}: {short(float(known[0]))} to {short(float(known[-1]))}" + (
        f", target {short(float(target))}" if target is not None else ""
    )
    inner = HEIGHT - 4
    last = len(values) - 1 - next(i for i, v in enumerate(reversed(values)) if v is not None)
    x = last * (WIDTH - 4) / max(1, len(values) - 1) + 2
    y = inner - (float(known[-1]) - low) * inner / (high - low) + 2
    aim = SafeString("")
    if target is not None:
        at = f"{inner - (float(target) - low) * inner / (high - low) + 2:.1f}"
        aim = format_html('<path class="aim" d="M2 {}H{}"/>', at, WIDTH - 2)
    return format_html(
        '<svg class="spark {}" width="{}" height="{}" role="img" aria-label="{}"><title>{}</title>{}'
        '<g transform="translate(2 2)"><path d="{}"/></g><circle cx="{:s}" cy="{:s}" r="2"/></svg>',
        kind,
        WIDTH,
        HEIGHT,
        says,
        says,
        aim,
        path(values, low, high, WIDTH - 4, inner),
        f"{x:.1f}",
        f"{y:.1f}",
    )


def named(moment: Any) -> str:
    """How a point is called under the axis: a date as `21 Nov`, anything else as it is."""
    return f"{moment.day} {moment:%b}" if isinstance(moment, date | datetime) else str(moment)


@register.inclusion_tag("partials/chart.html")
def chart(
    points: Sequence[tuple[Any, Number | None]],
    *,
    target: Number | None = None,
    label: str = "",
    unit: str = "",
    marks: Sequence[tuple[int, str]] = (),
) -> dict[str, Any]:
    """A metric over time: `points` (when, value) oldest first, target line, and marks (index of a point, words)."""
    values = [value for _, value in points]
    low, high = bounds(values, target)
    high *= 1.1
    span = high - low

    def height(value: float) -> str:
        return f"{100 - (value - low) / span * 100:.1f}%"

    line = path(values, low, high, 1000, 100)
    solid = None not in values and len(values) > 1
    return {
        "label": label,
        "unit": unit,
        "line": line,
        "area": f"{line}L1000 100L0 100Z" if solid else "",
        "rules": [{"y": height(low + span * part), "text": short(low + span * part)} for part in (0, 0.45, 0.9)],
        "target": None if target is None else {"y": height(float(target)), "text": short(float(target))},
        "marks": [
            {"x": f"{index / max(1, len(points) - 1) * 100:.1f}%", "n": n, "text": text, "at": named(points[index][0])}
            for n, (index, text) in enumerate(marks, 1)
        ],
        "first": named(points[0][0]) if points else "",
        "last": named(points[-1][0]) if points else "",
        "points": [(named(at), value) for at, value in points],
    }


@register.simple_tag
def meter(value: Number, of: Number, *, label: str, kind: str = "") -> SafeString:
    """How much of something is used up: `<progress>` with its words beside it, also for screen readers."""
    return format_html(
        '<progress class="{}" value="{}" max="{}" aria-label="{}">{}</progress>', kind, value, of or 1, label, label
    )


@register.simple_tag
def bars(rows: Sequence[tuple[str, Number]], *, label: str = "") -> SafeString:
    """Named counts, longest first as given: a definition list with a bar to each."""
    most = max([float(value) for _, value in rows], default=1) or 1
    return format_html(
        '<dl class="pairs keep" aria-label="{}">{}</dl>',
        label,
        format_html_join(
            "",
            '<dt>{}</dt><dd class="line"><svg width="120" height="8" aria-hidden="true"><rect width="{}%" height="8" '
            'rx="2" fill="currentColor" opacity="0.35"/></svg>{}</dd>',
            ((name, f"{float(value) / most * 100:.0f}", short(float(value))) for name, value in rows),
        ),
    )
