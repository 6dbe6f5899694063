"""The mapping of each format, used where a source's own mapping says nothing.

The envelope of an event, as the intake hands it over: our JSON, Segment/RudderStack (one call, out of its batch) and
CloudEvents (in the structured form, also when it came in the binary one) as they are; Standard Webhooks as their body
`{"type", "timestamp", "data"}` with the header `webhook-id` as `id`.
"""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

JSON: Spec = {
    "id": "id",
    "type": "type",
    "time": ["time", "timestamp"],
    "account": ["account", "account_id", "properties.account"],
    "account_name": ["account_name", "company", "properties.account_name"],
    "person": ["person", "name", "properties.person"],
    "email": ["email", "properties.email"],
    "region": ["region", "country", "properties.region"],
    "segment": ["segment", "properties.segment"],
    "value": ["value", "properties.value"],
    "currency": ["currency", "properties.currency"],
    "time_zone": ["time_zone", "timezone", "properties.time_zone", "properties.timezone"],
    "spread": ["properties", "@"],
}

SEGMENT: Spec = {
    "id": "messageId",
    "type": ["event", "type"],
    "time": ["timestamp", "originalTimestamp", "sentAt"],
    "account": [
        "context.groupId",
        "groupId",
        "properties.groupId",
        "traits.company.id",
        "context.traits.company.id",
        "traits.company.name",
        "context.traits.company.name",
        "traits.company",
        "context.traits.company",
        "userId",
        "anonymousId",
    ],
    "account_name": [
        "traits.company.name",
        "context.traits.company.name",
        "traits.company",
        "context.traits.company",
    ],
    "person": [
        "context.traits.name",
        "traits.name",
        {"join": ["context.traits.firstName", "context.traits.lastName"]},
        {"join": ["traits.firstName", "traits.lastName"]},
    ],
    "email": ["context.traits.email", "traits.email", "properties.email"],
    "region": [
        "context.traits.region",
        "traits.region",
        "properties.region",
        "traits.address.country",
        "context.traits.address.country",
        "context.location.country",
    ],
    "segment": ["context.traits.segment", "traits.segment", "properties.segment"],
    "value": ["properties.value", "properties.revenue", "properties.total"],
    "currency": "properties.currency",
    "time_zone": ["context.timezone", "traits.timezone"],
    "spread": ["properties", "traits", "context.traits"],
}

CLOUDEVENTS: Spec = {
    "id": {"join": ["source", "id"]},
    "type": "type",
    "time": "time",
    "account": ["data.account", "data.account_id", "data.company_id", "data.company", "subject", "source"],
    "account_name": ["data.account_name", "data.company_name", "data.company"],
    "person": ["data.person", "data.name"],
    "email": "data.email",
    "region": ["data.region", "data.country"],
    "segment": "data.segment",
    "value": "data.value",
    "currency": "data.currency",
    "time_zone": ["data.time_zone", "data.timezone"],
    "spread": ["data"],
}

STANDARD_WEBHOOKS: Spec = {
    **CLOUDEVENTS,
    "id": ["id", "data.id"],
    "time": "timestamp",
    "account": ["data.account", "data.account_id", "data.company_id", "data.company"],
}

DEFAULTS: dict[str, Spec] = {
    "json": JSON,
    "segment": SEGMENT,
    "cloudevents": CLOUDEVENTS,
    "standard_webhooks": STANDARD_WEBHOOKS,
}
