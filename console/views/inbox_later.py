"""Until when a question is put off: the choices beside it, and a moment of the person's own."""

from datetime import datetime, time, timedelta

from django.utils import timezone

from approvals.moments import ahead

CHOICES = {"1h": "1 hour", "3h": "3 hours", "tomorrow": "Tomorrow, 9:00", "monday": "Monday, 9:00"}
MORNING = time(9)


def moment(choice: str, own: str = "", *, now: datetime | None = None) -> datetime:
    """
    When it comes back, in the active time zone; `own` is a moment as a form writes it, used where no choice is made.

    ValueError, in words for people, when it cannot be read, is past or is more than a year ahead.
    """
    now = timezone.localtime(now)
    match choice:
        case "1h" | "3h":
            return now + timedelta(hours=int(choice[0]))
        case "tomorrow":
            return _morning(now, 1)
        case "monday":
            return _morning(now, 7 - now.weekday())
    try:
        at = datetime.fromisoformat(own.strip())
    except ValueError:
        raise ValueError("Say until when: pick one of the choices, or a day and a time.") from None
    return ahead(timezone.make_aware(at) if timezone.is_naive(at) else at, now=now)


def _morning(now: datetime, days: int) -> datetime:
    return timezone.make_aware(datetime.combine(now.date() + timedelta(days=days), MORNING))
