"""The room of what agents are, decide and do."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    name = "agents"
