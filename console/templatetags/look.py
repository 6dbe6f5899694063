"""The words and signs that every page shares: states, icons, times, people, numbers, diffs and raw values."""

import difflib
import functools
import json as jsonlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

from django import template
from django.forms import BoundField, CheckboxInput, CheckboxSelectMultiple, RadioSelect
from django.utils import timezone
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from lucide.templatetags.lucide import lucide

register = template.Library()

GLYPHS = {"live": "●", "waiting": "◔", "failed": "▲", "paused": "‖", "shadow": "◇", "quiet": "○"}

KINDS = {
    "live": "live autonomous supervised delivered healthy up approved ok resolved sealed accepted met ready-to-go "
    "active valid won closed done sent undone alone on",
    "waiting": "waiting taken asks ask asking needs-you degraded half-open half_open unsealed unassigned snoozed late "
    "acknowledged medium",
    "failed": "failed dead triggered broken down open-breaker never overdue unhealthy missed high no-owner invalid "
    "conflict unknown open error",
    "paused": "paused pausing stopped held",
    "shadow": "shadow shadowed would-have sandbox demo",
}
_KIND_OF = {word: kind for kind, words in KINDS.items() for word in words.split()}


def kind_of(word: object) -> str:
    """Which of the six looks a word of the domain has; a word nobody named is quiet."""
    return _KIND_OF.get(str(word).strip().lower().replace(" ", "-"), "quiet")


@register.filter
def kind(word: object) -> str:
    """`class="card {{ action.state|kind }}"`."""
    return kind_of(word)


@register.filter
def glyph(word: object) -> str:
    return GLYPHS[kind_of(word)]


@register.simple_tag
def state(word: object, *, since: datetime | None = None, label: str = "", kind: str = "") -> SafeString:
    """A badge: glyph, word, since. `label` words it otherwise, `kind` overrides the look (one of GLYPHS)."""
    look = kind or kind_of(word)
    text = label or str(getattr(word, "label", "") or str(word).replace("_", " ").replace("-", " ").capitalize())
    tail = format_html('<span class="since">{}</span>', when(since, "since")) if since else ""
    return format_html(
        '<span class="state {}"><i aria-hidden="true">{}</i>{} {}</span>', look, GLYPHS[look], text, tail
    )


@functools.lru_cache(maxsize=512)
def _icon(name: str, size: int, label: str) -> SafeString:
    says: dict[str, str] = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    return mark_safe(lucide(name, size=size, **{"class": "icon"}, **says))  # noqa: S308  lucide escapes


@register.simple_tag
def icon(name: str, *, size: int = 16, label: str = "") -> SafeString:
    """An icon of lucide's, inline; without a label it is hidden from screen readers."""
    return _icon(str(name) + "", size, str(label) + "")


def ago(moment: datetime, now: datetime | None = None) -> str:
    """`12 s ago`, `3 min ago`, `in 2 h`, `5 d ago`; beyond two weeks the date, in the active time zone."""
    now = now or timezone.now()
    seconds = (now - moment).total_seconds()
    size = seconds if seconds > 0 else 1 - seconds
    if size < 5:
        return "now"
    if size >= 14 * 86400:
        local = timezone.localtime(moment)
        return f"{local.day} {local:%b}" if local.year == now.year else f"{local.day} {local:%b %Y}"
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        if size >= length:
            text = f"{int(size // length)} {unit}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return "now"


def _at(local: datetime) -> str:
    days = abs((local.date() - timezone.localdate()).days)
    if days == 0:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if days < 6 else f"{local.day} {local:%b %H:%M}"


@register.simple_tag
def when(moment: datetime | None, form: str = "ago", *, empty: str = "never") -> SafeString:
    """A moment: local on screen, UTC on hover, ISO when printed.

    Forms: `ago` (3 min ago), `since` (3 min), `clock` (12:30:05), `day` (21 Nov 2025), `full` (day, clock and zone),
    `at` (18:27 today, Sun 18:27 within six days, else the day too).
    """
    if moment is None:
        return format_html('<span class="muted">{}</span>', empty)
    local, utc = timezone.localtime(moment), moment.astimezone(UTC)
    shown = {
        "ago": lambda: ago(moment),
        "since": lambda: ago(moment).removesuffix(" ago"),
        "clock": lambda: f"{local:%H:%M:%S}",
        "day": lambda: f"{local.day} {local:%b %Y}",
        "at": lambda: _at(local),
        "full": lambda: f"{local.day} {local:%b %Y %H:%M:%S %Z}",
    }[form]()
    return format_html(
        '<time datetime="{}" title="{}"{}>{}</time>',
        utc.isoformat(timespec="seconds").replace("+00:00", "Z"),
        f"{local.day} {local:%b %Y %H:%M:%S %Z} · {utc:%Y-%m-%d %H:%M:%S} UTC",
        format_html(' data-when="{}"', form) if form in ("ago", "since") else "",
        shown,
    )


@register.filter
def duration(ms: float | timedelta | None) -> str:
    """Milliseconds or a timedelta in the two units that matter: `0.4 ms`, `850 ms`, `3.2 s`, `4 min 10 s`, `3 d`."""
    if ms is None:
        return "–"
    value = ms.total_seconds() * 1000 if isinstance(ms, timedelta) else float(ms)
    if value < 1000:
        return f"{value:.1f} ms" if 0 < value < 10 else f"{value:.0f} ms"
    if value < 60_000:
        return f"{value / 1000:.1f} s"
    seconds = int(value / 1000)
    steps: list[tuple[str, int]] = [("d", 86400), ("h", 3600), ("min", 60), ("s", 1)]
    for (big, length), (small, part) in pairwise(steps):
        if seconds >= length:
            rest = seconds % length // part
            return f"{seconds // length} {big} {rest} {small}" if rest else f"{seconds // length} {big}"
    return f"{seconds} s"


@register.filter
def number(value: float | Decimal | None, places: int = 0) -> str:
    """`12330` → `12,330`; None → `–`."""
    return "–" if value is None else f"{value:,.{places}f}"


@register.filter
def percent(share: float | None, places: int = 0) -> str:
    """A share of one: `0.123` → `12 %`, with `percent:1` `12.3 %`."""
    return "–" if share is None else f"{share * 100:.{places}f} %"


@register.simple_tag
def money(amount: float | Decimal | None, currency: str = "EUR") -> str:
    """`1234.5` → `1,234.50 EUR`; whole amounts above 100 lose their cents."""
    if amount is None:
        return "–"
    whole = amount == int(amount) and not -100 < amount < 100
    return f"{amount:,.{0 if whole else 2}f} {currency}"


@register.simple_tag
def person(who: Any, *, missing: str = "nobody", bare: bool = False) -> SafeString:
    """A person: initials and name. `missing` is what to say when there is none; “no owner” is shown as an error."""
    if who is None:
        return (
            state(missing, kind="failed")
            if missing == "no owner"
            else format_html('<span class="muted">{}</span>', missing)
        )
    name = str(getattr(who, "name", "") or who)
    initials = "".join(part[0] for part in re.split(r"[\s@.]+", name) if part)[:2].upper()
    face = format_html('<span class="face" aria-hidden="true">{}</span>', initials)
    return face if bare else format_html('<span class="who">{}{}</span>', face, name)


@register.inclusion_tag("partials/field.html")
def field(bound: BoundField, *, optional: bool | None = None) -> dict[str, Any]:
    """One form field: label, help, control, error beside it."""
    widget = bound.field.widget
    many = isinstance(widget, RadioSelect | CheckboxSelectMultiple)
    return {
        "field": bound,
        "tick": isinstance(widget, CheckboxInput) and not many,
        "many": many,
        "optional": not bound.field.required if optional is None else optional,
    }


@register.inclusion_tag("partials/errors.html")
def errors(form: Any) -> dict[str, Any]:
    """The error summary on top of a form: takes focus, and each line leads to its field."""
    return {"form": form}


@register.simple_tag(name="json")
def as_json(value: Any, *, summary: str = "Raw", open: bool = False) -> SafeString:
    """A value as folded JSON with a copy button, whole: nothing is cut."""
    text = value if isinstance(value, str) else jsonlib.dumps(value, indent=2, ensure_ascii=False, default=str)
    return format_html(
        '<details class="fold"{}><summary>{}</summary>{}</details>',
        mark_safe(" open") if open else "",
        summary,
        copyable(text),
    )


@register.simple_tag
def copyable(text: str) -> SafeString:
    """A block of text with a Copy button (hidden where there is no JavaScript)."""
    return format_html(
        '<div class="copyable"><pre tabindex="0">{}</pre>'
        '<button type="button" class="button small" data-copy hidden>Copy</button></div>',
        text,
    )


@register.simple_tag
def words_diff(before: object, after: object) -> SafeString:
    """Two texts as one, word by word: what went in `<del>`, what came in `<ins>`."""
    old, new = (re.findall(r"\s+|\w+|[^\w\s]", "" if text is None else str(text)) for text in (before, after))
    parts: list[SafeString | str] = []
    for verb, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if verb == "equal":
            parts.append(conditional_escape("".join(old[i:j])))
            continue
        if i < j:
            parts.append(format_html("<del>{}</del>", "".join(old[i:j])))
        if k < m:
            parts.append(format_html("<ins>{}</ins>", "".join(new[k:m])))
    return format_html('<div class="words">{}</div>', mark_safe("".join(parts)))  # noqa: S308  each part is escaped


@register.inclusion_tag("partials/diff.html")
def diff(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Before and after by field; a field that stayed the same is shown once, in grey."""
    before, after = before or {}, after or {}
    names: Sequence[str] = list(dict.fromkeys([*before, *after]))
    return {
        "rows": [
            {
                "name": name.replace("_", " "),
                "before": before.get(name),
                "after": after.get(name),
                "same": before.get(name) == after.get(name),
                "had": name in before,
                "has": name in after,
            }
            for name in names
        ]
    }


@register.simple_tag
def listing(items: Sequence[Any], last: str = "and") -> SafeString:
    """`a, b and c`, each escaped."""
    words = [conditional_escape(item) for item in items]
    if len(words) < 2:
        return format_html_join("", "{}", ((word,) for word in words))
    return format_html("{} {} {}", format_html_join(", ", "{}", ((word,) for word in words[:-1])), last, words[-1])
