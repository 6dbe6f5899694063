"""The room that speaks HTTP."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        """Register the system checks."""
        from console import checks  # noqa: F401
