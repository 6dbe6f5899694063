"""The room that speaks HTTP."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    name = "console"

    def ready(self) -> None:
        """Register the system checks, record it when wrong tries lock a sign-in, and note when a session began."""
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in

        from console import checks  # noqa: F401
        from console.lockout import note_lock
        from console.step_up import note_sign_in

        user_locked_out.connect(note_lock)
        user_logged_in.connect(note_sign_in)
