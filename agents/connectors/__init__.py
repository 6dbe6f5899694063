"""Ways out, one small file each, on one contract."""

from agents.connectors.addresses import AddressRefused, AddressRules
from agents.connectors.contract import (
    Answer,
    BadPayload,
    CannotTell,
    Connector,
    Found,
    NotFound,
    Outgoing,
    Verdict,
    boottime,
)
from agents.connectors.email import EmailConnector
from agents.connectors.fields import ConfigError, Field, Problem
from agents.connectors.http import HttpConnector
from agents.connectors.sandbox import SandboxConnector

registry: dict[str, type[Connector]] = {
    connector.kind: connector for connector in (HttpConnector, EmailConnector, SandboxConnector)
}

__all__ = [
    "AddressRefused",
    "AddressRules",
    "Answer",
    "BadPayload",
    "CannotTell",
    "ConfigError",
    "Connector",
    "Field",
    "Found",
    "NotFound",
    "Outgoing",
    "Problem",
    "Verdict",
    "boottime",
    "registry",
]
