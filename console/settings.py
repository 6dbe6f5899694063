"""Django settings. Everything a deployment may change is read from the environment, in `console/env.py`."""

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF

from console import env, logs

ENV = env.read()
BASE_DIR = env.BASE_DIR
VAR = ENV.var

DEBUG = False
SECRET_KEY = ENV.secret_key
ENCRYPTION_KEYS = list(ENV.encryption_keys)
"""Fernet keys for secrets at rest; the first encrypts, all decrypt."""
IDENTITY_KEY = ENV.identity_key
"""Key of the hashes that stand for a person (contact locks, do-not-contact) and for a seen id. Never changes."""

BASE_URL = ENV.base_url or f"http://{ENV.bind}:{ENV.port}"
"""Where people reach Signalbox: what links in mails begin with. No slash at the end."""
TRUSTED_PROXIES = ENV.trusted_proxies
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", *filter(None, [ENV.bind, urlsplit(ENV.base_url).hostname])]
CSRF_TRUSTED_ORIGINS = [ENV.base_url] if ENV.base_url else []

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "template_partials",
    "guardian",
    "axes",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "csp",
    "audit",
    "approvals",
    "agents",
    "console",
]
MIDDLEWARE = [
    "console.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "console.middleware.SignInFirst",
    "console.zone.PersonsZone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "console.middleware.SecondStepFirst",
    "axes.middleware.AxesMiddleware",
    "console.middleware.NotThisWayMiddleware",
    "console.middleware.NoNulMiddleware",
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
                "console.nav.shell",
            ],
            "builtins": [
                "template_partials.templatetags.partials",
                "console.templatetags.look",
                "console.templatetags.figures",
            ],
        },
    }
]

DATABASES = {"default": env.django_database(ENV.database_url, pool=ENV.database_pool)}
DATABASE_OWNER_URL = ENV.database_owner_url
"""The role that migrates, where it is not the one that works; see `console/management/commands/migrate.py`."""
REDIS_URL = ENV.redis_url
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = VAR / "static"
_COLLECTED = (STATIC_ROOT / "staticfiles.json").exists()
WHITENOISE_USE_FINDERS = not _COLLECTED
WHITENOISE_MANIFEST_STRICT = False
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if _COLLECTED
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# People and what their browsers may do
AUTH_USER_MODEL = "approvals.Person"
ANONYMOUS_USER_NAME = None
GUARDIAN_USER_OBJ_PERMS_MODEL = "agents.Grant"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "console.backend.PersonBackend",
    "guardian.backends.ObjectPermissionBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
AXES_FAILURE_LIMIT = 10
AXES_LOCKOUT_TEMPLATE = "sign_in/locked.html"
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_USERNAME_FORM_FIELD = "username"
AXES_LOCKOUT_PARAMETERS = "console.lockout.parameters"
AXES_SENSITIVE_PARAMETERS = ["password", "old_password", "new_password1", "new_password2", "code", "credential"]
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_CLIENT_IP_CALLABLE = "console.middleware.client_address"
AXES_VERBOSE = False

# The second step of signing in, sessions, and sign-in with a provider. Wrong tries are counted in `console.lockout`.
STEP_UP_SECONDS = 600
"""How long a person counts as having just shown who they are; see `console.step_up`."""
ACCOUNT_ADAPTER = "console.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_RATE_LIMITS = False
ACCOUNT_REAUTHENTICATION_TIMEOUT = STEP_UP_SECONDS
MFA_ADAPTER = "console.adapters.SecondStepAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_FORMS = {
    "authenticate": "console.second_step.CodeForm",
    "authenticate_webauthn": "console.passkeys.SecondStepForm",
    "login_webauthn": "console.passkeys.LoginForm",
}
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_USER_VERIFICATION = "preferred"
MFA_TOTP_ISSUER = "Signalbox"
MFA_TOTP_TOLERANCE = 1
MFA_RATE_LIMITS = False
SOCIALACCOUNT_ADAPTER = "console.oidc.Adapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": []}}
if ENV.oidc:
    SOCIALACCOUNT_PROVIDERS["openid_connect"]["APPS"] = [
        {
            "provider_id": env.OIDC_ID,
            "name": ENV.oidc.name,
            "client_id": ENV.oidc.client_id,
            "secret": ENV.oidc.client_secret,
            "settings": {"server_url": ENV.oidc.issuer, "oauth_pkce_enabled": True},
        }
    ]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENV.tls
SESSION_COOKIE_NAME = "signalbox"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 14 * 24 * 3600
CSRF_COOKIE_NAME = "signalbox_csrf"
SECURE_REDIRECT_EXEMPT = [r"^health/"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if ENV.tls else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENV.tls
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 10_000

# Mail: what Signalbox itself sends (pages to owners, questions to approvers), never an agent's action
_SMTP = urlsplit(ENV.smtp_url)
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if ENV.smtp_url else 'filebased'}.EmailBackend"
EMAIL_FILE_PATH = VAR / "mail"
EMAIL_HOST = _SMTP.hostname or "localhost"
EMAIL_PORT = _SMTP.port or (465 if _SMTP.scheme == "smtps" else 587)
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = env.credentials(_SMTP)
EMAIL_USE_SSL = _SMTP.scheme == "smtps"
EMAIL_USE_TLS = _SMTP.scheme == "smtp" and EMAIL_PORT == 587
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = ENV.mail_from

# Workers. A message is only a wake-up: acknowledged early, never delayed, its result never kept.
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 3
CELERY_BROKER_HEARTBEAT = 0
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "unacked_restore_throttle": 1,
    "unacked_restore_interval": 5,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_DEFAULT_QUEUE = "loop"
CELERY_TASK_ROUTES = {
    "agents.tasks.sweep": {"queue": "sweep"},
    "agents.tasks.publish": {"queue": "sweep"},
    "agents.tasks.page": {"queue": "paging"},
    "agents.tasks.tell": {"queue": "telling"},
    "agents.tasks.index": {"queue": "telling"},
    "agents.tasks.verify": {"queue": "telling"},
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "agents.tasks.sweep", "schedule": 5.0, "options": {"expires": 10}},
    "page": {"task": "agents.tasks.page", "schedule": 15.0, "options": {"expires": 30}},
    "tell": {"task": "agents.tasks.tell", "schedule": 15.0, "options": {"expires": 30}},
    "publish": {"task": "agents.tasks.publish", "schedule": 10.0, "options": {"expires": 20}},
    "index": {"task": "agents.tasks.index", "schedule": 10.0, "options": {"expires": 9}},
    "verify": {"task": "agents.tasks.verify", "schedule": 300.0, "options": {"expires": 290}},
    "housekeep": {"task": "agents.tasks.housekeep", "schedule": crontab(minute=7)},
}
CHECKPOINTS_FILE = ENV.checkpoints
CHECKPOINT_OUTLETS = ENV.checkpoint_outlets
"""Where checkpoints go outside the database: a file always, and object stores, collectors and witnesses."""

CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "beat" / "schedule")

LOGGING = logs.configure(format=ENV.log_format, level=ENV.log_level)
