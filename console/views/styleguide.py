"""Every component on one page, for those who build pages. Made-up values; docs/pages.md says how each is written."""

from datetime import timedelta
from types import SimpleNamespace

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from approvals.models import Role
from console.views import page

WORDS = (
    "live", "supervised", "autonomous", "delivered", "waiting", "snoozed", "failed", "unknown", "triggered", "taken",
    "resolved", "paused", "shadow", "draft", "expired", "ready", "sending", "refused",
)  # fmt: skip
DAYS = (12, 14, 11, 17, 19, 18, 22, 21, 25, 24, 27, 26, 31, 29)


class SampleForm(forms.Form):
    name = forms.CharField(help_text="What people call it.")
    owner = forms.ChoiceField(
        choices=[("", "Choose a person"), ("ana", "Ana Ruiz")], help_text="A person, never a team."
    )
    target = forms.DecimalField(help_text="Meetings a week.")
    job = forms.CharField(widget=forms.Textarea, required=False)
    shadow = forms.BooleanField(label="Start in shadow", required=False, help_text="Decides, never acts.")
    risk = forms.ChoiceField(choices=[("low", "Low"), ("high", "High")], widget=forms.RadioSelect)


@page.only(Role.ADMIN, Role.ENGINEER)
def styleguide(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    form = SampleForm(request.POST if request.method == "POST" else None, initial={"risk": "low"})
    if request.method == "POST" and form.is_valid():
        messages.success(request, "Everything holds.")
    ana = SimpleNamespace(name="Ana Ruiz")
    agents = [
        {
            "name": "Renewal risk",
            "stage": "autonomous",
            "state": "failed",
            "owner": None,
            "at": now - timedelta(hours=5),
        },
        {"name": "Inbound intent", "stage": "autonomous", "state": "live", "owner": ana, "at": now - timedelta(days=3)},
        {"name": "Trial rescue", "stage": "shadow", "state": "shadow", "owner": ana, "at": now - timedelta(days=9)},
    ]
    context = {
        "form": form,
        "now": now,
        "soon": now + timedelta(hours=2),
        "words": WORDS,
        "ana": ana,
        "agents": agents,
        "values": list(DAYS),
        "falling": [31, 29, 30, 24, 22, None, 18, 12, 9],
        "points": [((now - timedelta(days=14 - n)).date(), value) for n, value in enumerate(DAYS)],
        "marks": [(4, "policy 3"), (9, "EMEA paused")],
        "before": {"subject": "A quick question", "to": "jo@example.com", "discount": "15 %"},
        "after": {"subject": "Your trial, Jo", "to": "jo@example.com", "seats": 40},
        "payload": {"to": "jo@example.com", "subject": "Your trial, Jo", "steps": ["mail", "call"], "seats": 40},
        "counts": [("delivered", 812), ("asked", 96), ("refused", 31)],
        "regions": ("EMEA", "AMER", "APAC"),
        "segments": ("Enterprise", "Mid-market", "SMB"),
        "rows": {"older": "x", "newer": "y"},
    }
    names = ("form", "dialog")
    status = 422 if request.method == "POST" else 200
    return page.render(request, "styleguide/styleguide.html", context, fragment=names, status=status)
