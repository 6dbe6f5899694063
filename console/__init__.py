"""The only room that speaks HTTP, and the wiring."""

from console.celery import app as celery_app

__all__ = ["celery_app"]
