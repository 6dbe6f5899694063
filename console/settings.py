"""Django settings. Everything a deployment may change is read from the environment, in `console/env.py`."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit, parse_qsl

BASE_DIR = Path(__file__).resolve().parent.parent
VAR = Path(os.environ.get("SIGNALBOX_VAR", BASE_DIR / "var"))

DEBUG = False
SECRET_KEY = os.environ.get("SIGNALBOX_SECRET_KEY", "insecure-only-until-up-makes-one-" + "x" * 32)
ALLOWED_HOSTS = ["*"]
ENCRYPTION_KEYS = os.environ.get("SIGNALBOX_ENCRYPTION_KEYS", "A" * 43 + "=").split(",")
"""Fernet keys for secrets at rest; the first encrypts, all decrypt."""
IDENTITY_KEY = os.environ.get("SIGNALBOX_IDENTITY_KEY", "insecure").encode()
"""Key of the hashes that stand for a person (contact locks, do-not-contact) and for a seen id. Never changes."""

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "guardian",
    "audit",
    "approvals",
    "agents",
    "console",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "console.urls"
WSGI_APPLICATION = "console.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]


def _database(url: str) -> dict:
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    host = options.pop("host", "") or (parts.hostname or "")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }


DATABASES = {"default": _database(os.environ.get("DATABASE_URL", "postgresql://app@127.0.0.1/signalbox"))}
REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")

AUTH_USER_MODEL = "approvals.Person"
ANONYMOUS_USER_NAME = None
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR / "static"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"unacked_restore_throttle": 1, "unacked_restore_interval": 5}
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
