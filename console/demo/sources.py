"""Where Tideline's signals come from: one source for each format a team is likely to have."""

from typing import Any

from console.demo.places import BY_SIZE

SOURCES: tuple[dict[str, Any], ...] = (
    {
        "slug": "website",
        "name": "Website (Segment)",
        "mapping": {
            "account": ["context.traits.company.id"],
            "value": "context.traits.company.arr",
            "region": ["context.traits.country"],
            "region_map": {"UK": "emea/gb"},
            "fields": {
                "employees": "context.traits.company.employees",
                "industry": "context.traits.company.industry",
                "first_name": "context.traits.firstName",
            },
            "segment_rules": BY_SIZE,
        },
    },
    {
        "slug": "product",
        "name": "Tideline app (CloudEvents)",
        "mapping": {
            "account": "subject",
            "value": "data.arr",
            "fields": {"employees": "data.employees"},
            "region_map": {"UK": "emea/gb"},
            "segment_rules": BY_SIZE,
        },
    },
    {
        "slug": "customer-desk",
        "name": "Customer desk (webhook)",
        "mapping": {
            "id": "event_id",
            "type": "kind",
            "time": "at",
            "account": "customer.id",
            "value": "customer.arr",
            "account_name": "customer.name",
            "person": "contact.name",
            "email": "contact.email",
            "region": "customer.country",
            "region_map": {"UK": "emea/gb"},
            "fields": {"employees": "customer.employees", "arr": "customer.arr"},
            "spread": ["facts"],
            "segment_rules": BY_SIZE,
        },
    },
)
