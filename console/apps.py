"""The room that speaks HTTP."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        """Register the system checks, and record it when too many wrong tries lock a sign-in."""
        from axes.signals import user_locked_out

        from console import checks  # noqa: F401
        from console.lockout import note_lock

        user_locked_out.connect(note_lock)
