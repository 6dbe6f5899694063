"""How a sender is pointed at a source: lines to copy, with host and key filled in."""

from typing import NamedTuple

from django.conf import settings

from agents.models import Source

EVENT = (
    '{"id": "evt-1", "type": "pricing_visit", "account": "acme.example", "email": "jo@acme.example", "country": "DE"}'
)
CLOUD_EVENT = (
    '{"specversion": "1.0", "id": "1", "source": "/shop", "type": "trial.started",\n'
    '       "data": {"account": "acme.example", "email": "jo@acme.example", "country": "DE"}}'
)


class Snippet(NamedTuple):
    """One way to send: what it is called, a sentence, and what to copy."""

    name: str
    says: str
    text: str


def snippets(source: Source, *, key: str) -> list[Snippet]:
    """Every way in, `key` filled in where it goes."""
    host = settings.BASE_URL
    here = f"{host}/in/{source.slug}"
    return [
        Snippet(
            "curl",
            "Our JSON: one object, an array of them, or one a line.",
            f"curl {here} \\\n  -H 'Authorization: Bearer {key}' \\\n  -H 'Content-Type: application/json' \\\n"
            f"  -d '{EVENT}'",
        ),
        Snippet(
            "Segment, Python",
            "segment-analytics-python as it is; only the host differs.",
            "import segment.analytics as analytics\n\n"
            f'analytics.write_key = "{key}"\nanalytics.host = "{host}"\n\n'
            'analytics.track("jo@acme.example", "Pricing viewed", {"plan": "team"},\n'
            '                context={"groupId": "acme.example", "traits": {"email": "jo@acme.example"}})\n'
            "analytics.flush()",
        ),
        Snippet(
            "Segment, Node",
            "@segment/analytics-node as it is. RudderStack's clients take the same host as their data plane.",
            'import { Analytics } from "@segment/analytics-node";\n\n'
            f'const analytics = new Analytics({{ writeKey: "{key}", host: "{host}" }});\n\n'
            'analytics.track({ userId: "jo@acme.example", event: "Pricing viewed", properties: { plan: "team" },\n'
            '                  context: { groupId: "acme.example", traits: { email: "jo@acme.example" } } });\n'
            "await analytics.closeAndFlush();",
        ),
        Snippet(
            "CloudEvents",
            "Version 1.0: structured, binary or batched.",
            f"curl {here} \\\n  -H 'Authorization: Bearer {key}' \\\n"
            f"  -H 'Content-Type: application/cloudevents+json' \\\n  -d '{CLOUD_EVENT}'",
        ),
        Snippet(
            "Standard Webhooks",
            "Signed with a secret of this source, no key needed. Put the secret into SECRET.",
            "SECRET=whsec_…\n"
            "body='" + EVENT + "'\n"
            "id=msg_$(date +%s%N); at=$(date +%s)\n"
            "hex=$(printf %s \"${SECRET#whsec_}\" | base64 -d | od -An -v -tx1 | tr -d ' \\n')\n"
            'sig=$(printf %s "$id.$at.$body" | openssl dgst -sha256 -mac HMAC -macopt hexkey:$hex -binary | base64)\n'
            f'curl {here} -H "webhook-id: $id" -H "webhook-timestamp: $at" -H "webhook-signature: v1,$sig" \\\n'
            "  -H 'Content-Type: application/json' -d \"$body\"",
        ),
        Snippet(
            "Outcomes",
            "What came of a signal, named by its id: meetings, replies, revenue.",
            f"curl {here}/outcomes \\\n  -H 'Authorization: Bearer {key}' \\\n"
            "  -H 'Content-Type: application/json' \\\n"
            '  -d \'{"signal": "evt-1", "kind": "meeting", "value": 0}\'',
        ),
    ]
