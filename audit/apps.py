"""The record: what was done, by whom, and proof of it."""

from django.apps import AppConfig


class AuditConfig(AppConfig):
    """Room of the record. Imports no other room; actors and subjects are plain text to it."""

    name = "audit"
    label = "audit"
    verbose_name = "Record"
    default_auto_field = "django.db.models.BigAutoField"
