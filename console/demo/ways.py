"""Ways out, all of them sandboxes, and the plays that use them."""

from typing import Any

CONNECTIONS: tuple[dict[str, Any], ...] = (
    {"slug": "crm-sandbox", "name": "CRM (sandbox)", "config": {"delay_ms": 90}},
    {"slug": "mail-sandbox", "name": "E-mail (sandbox)", "config": {"delay_ms": 160}},
    {"slug": "calls-sandbox", "name": "Call list (sandbox)", "config": {"delay_ms": 60}},
    {"slug": "app-sandbox", "name": "Tideline app (sandbox)", "config": {"delay_ms": 120, "fail_percent": 9}},
)
"""The app fails nine times of a hundred, so that there is a failure to see, an owner to page and work to send again."""

_LEAD = {
    "json": {
        "operation": "lead.upsert",
        "account": "{{ signal.account }}",
        "company": "{{ account.name }}",
        "person": "{{ signal.person }}",
        "email": "{{ signal.email }}",
        "score": "{{ score }}",
        "because": "{{ hits }}",
        "run": "{{ run.id }}",
    }
}
_FIRST_MAIL = {
    "to": "{{ signal.email }}",
    "subject": "{{ account.name }} and Tideline: where to start",
    "text": """Hi {{ signal.first_name|default("there") }},

thank you for your interest in Tideline. Teams of your size{% if signal.industry %} in {{ signal.industry }}{% endif %}
usually start with one question: which of our accounts need someone today?

Two things that may help you judge whether we can answer it:
- a two-minute tour with sample data: https://tideline.example/tour
- what it costs for a team like yours, without a call: https://tideline.example/pricing

If you would rather talk, answer this mail and it reaches me.

{{ agent.owner }}
Tideline
""",
}
_CALL = {
    "text": """Call {{ signal.person }}{% if signal.title %}, {{ signal.title }}{% endif %} at {{ account.name }} today.

They asked: {{ signal.type }}{% if history.signals_7d %}, after {{ history.signals_7d }} visits in a week{% endif %}.
Score {{ score }}, because: {{ hits|join(", ") }}.

Open with what they asked{% if signal.message %}: “{{ signal.message }}”{% endif %}.
Do not pitch before you know who else decides.
""",
    "json": {
        "operation": "call.plan",
        "account": "{{ signal.account }}",
        "person": "{{ signal.person }}",
        "email": "{{ signal.email }}",
        "owner": "{{ agent.owner_email }}",
    },
}
_RESCUE_MAIL = {
    "to": "{{ signal.email }}",
    "subject": "Stuck with Tideline? Ten minutes usually do it",
    "text": """Hi {{ signal.first_name|default("there") }},

your trial has been quiet{% if signal.days_idle %} for {{ signal.days_idle }} days{% endif %}. Most teams that stop here
were missing one thing: their own data.

This page connects a spreadsheet in about ten minutes, no developer needed: https://tideline.example/start/own-data

If something else is in the way, tell me in one line and I will see to it.

{{ agent.owner }}
Tideline
""",
}
_TIP = {
    "json": {
        "operation": "message.show",
        "account": "{{ signal.account }}",
        "person": "{{ signal.person }}",
        "title": "Try it with your own data",
        "body": "Most teams see their first useful list within ten minutes of connecting a spreadsheet.",
        "link": "https://tideline.example/start/own-data",
    }
}
_EXTEND = {
    "json": {
        "operation": "trial.extend",
        "account": "{{ signal.account }}",
        "days": 14,
        "reason": "{{ hits|join(', ') }}",
    }
}
_UNEXTEND = {"json": {"operation": "trial.extend", "account": "{{ signal.account }}", "days": -14}}
_DISCOUNT = {"json": {"operation": "discount.grant", "account": "{{ signal.account }}", "percent": 20}}
_CSM_TASK = {
    "json": {
        "operation": "task.create",
        "account": "{{ signal.account }}",
        "title": "{{ account.name }} may not renew: look in before the week is out",
        "because": "{{ hits }}",
        "score": "{{ score }}",
        "days_to_renewal": "{{ signal.days_to_renewal|default(none) }}",
    }
}
_CHECK_IN = {
    "to": "{{ signal.email }}",
    "subject": "How is Tideline working for {{ account.name }}?",
    "text": """Dear {{ signal.person }},

I look after our larger customers and would like to hear, before your renewal, where Tideline falls short for you.
Twenty minutes are enough, and I will come with what we can change and by when.

Would one of the next days suit you?

{{ agent.owner }}
Tideline
""",
}


def _step(key: str, connection: str, payload: dict[str, Any], undo: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"key": key, "connection": connection, "payload": payload, "delay_minutes": 0, "undo": undo}


PLAYS: tuple[dict[str, Any], ...] = (
    {
        "slug": "inbound-sequence",
        "name": "Inbound sequence",
        "purpose": "Enter them as a lead and send the first mail of the sequence.",
        "risk": "low",
        "steps": [_step("lead", "crm-sandbox", _LEAD, {}), _step("first-mail", "mail-sandbox", _FIRST_MAIL)],
    },
    {
        "slug": "sales-call",
        "name": "Sales call",
        "purpose": "Put them on today's call list with a brief.",
        "risk": "medium",
        "steps": [_step("call", "calls-sandbox", _CALL, {})],
    },
    {
        "slug": "in-app-tip",
        "name": "In-app tip",
        "purpose": "Show the next useful step inside the product.",
        "risk": "low",
        "steps": [_step("tip", "app-sandbox", _TIP, {})],
    },
    {
        "slug": "rescue-mail",
        "name": "Rescue mail",
        "purpose": "Ask what is in the way, with the one page that helps most.",
        "risk": "medium",
        "steps": [_step("mail", "mail-sandbox", _RESCUE_MAIL)],
    },
    {
        "slug": "extend-trial",
        "name": "Extend the trial",
        "purpose": "Fourteen days more for a team that got somewhere but ran out of time.",
        "risk": "medium",
        "steps": [_step("extend", "app-sandbox", _EXTEND, _UNEXTEND)],
    },
    {
        "slug": "trial-discount",
        "name": "Trial discount",
        "purpose": "Twenty percent off the first year.",
        "risk": "high",
        "steps": [_step("discount", "crm-sandbox", _DISCOUNT, {})],
    },
    {
        "slug": "csm-task",
        "name": "Task for customer success",
        "purpose": "Have their customer success manager look in.",
        "risk": "low",
        "steps": [_step("task", "crm-sandbox", _CSM_TASK, {})],
    },
    {
        "slug": "executive-check-in",
        "name": "Executive check-in",
        "purpose": "A personal mail to the sponsor before the renewal.",
        "risk": "high",
        "steps": [_step("mail", "mail-sandbox", _CHECK_IN)],
    },
)
