"""The room of people and frozen questions."""

from django.apps import AppConfig


class ApprovalsConfig(AppConfig):
    name = "approvals"
