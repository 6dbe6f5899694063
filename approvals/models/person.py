"""A person: who owns, approves, pauses and is paged. The user model, signed in by e-mail."""

import zoneinfo
from datetime import time
from typing import Any, ClassVar

from django.contrib.auth import hashers
from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import connection, models, transaction
from django.db.models.functions import Lower
from django.utils.crypto import salted_hmac

from approvals.moments import sane
from audit.entries import Line, record


class Role(models.TextChoices):
    """Where a person starts; grants on agents, regions and segments refine it."""

    ADMIN = "admin", "Admin"
    OPS = "ops", "Ops manager"
    OWNER = "owner", "Owner"
    REP = "rep", "Rep"
    ENGINEER = "engineer", "Engineer"
    AUDITOR = "auditor", "Auditor"


class Theme(models.TextChoices):
    SYSTEM = "system", "As the system"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Density(models.TextChoices):
    NORMAL = "normal", "Normal"
    COMPACT = "compact", "Compact"


class Mails(models.TextChoices):
    """When a person is mailed about questions that wait for them."""

    NOW = "now", "At once, ten minutes' worth together"
    HOURLY = "hourly", "Every hour, together"
    DAILY = "daily", "Once a day, together"
    NEVER = "never", "Never"


def check_time_zone(name: str) -> None:
    """Refuse a time zone that the IANA database does not name."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"“{name}” is not a time zone; write one such as Europe/Berlin.")


class PersonManager(BaseUserManager["Person"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        """Make a person; without a password nobody can sign in as them until one is set."""
        person = self.model(email=self.normalize_email(email), **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "Person":
        """Make a first admin."""
        return self.create_user(email, password, **{"role": Role.ADMIN, "is_superuser": True, **fields})


class Person(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True, error_messages={"unique": "Someone with this e-mail is already here."})
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=12, choices=Role, default=Role.REP)
    everywhere = models.BooleanField(
        default=True, help_text="Their role holds everywhere; without it each verb holds only where it was granted."
    )
    time_zone = models.CharField(max_length=64, default="UTC", validators=[check_time_zone])
    theme = models.CharField(max_length=8, choices=Theme, default=Theme.SYSTEM)
    density = models.CharField(max_length=8, choices=Density, default=Density.NORMAL)
    shortcuts = models.BooleanField(default=True)
    mails = models.CharField(max_length=8, choices=Mails, default=Mails.NOW)
    mails_at = models.TimeField(default=time(9), help_text="Where they come once a day, in the person's time zone.")
    away_from = models.DateTimeField(null=True, blank=True)
    away_until = models.DateTimeField(null=True, blank=True, help_text="Empty while away: until they are back.")
    delegate = models.ForeignKey(
        "self",
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Who is asked instead while they are away; by grants of their own.",
    )
    is_active = models.BooleanField(default=True)
    signed_out_at = models.DateTimeField(null=True, blank=True, help_text="Sessions begun before it are void.")
    is_demo = models.BooleanField(default=False, help_text="Part of the demo workspace; removed with it.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[PersonManager] = PersonManager()
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = ["name"]

    class Meta:
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="person_email_once"),
            sane("person_away_sane", "away_from", "away_until"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """As ever; outside any transaction, where only Django's own commands make people and set passwords
        (createsuperuser, changepassword), with the entry that their change needs."""
        if connection.in_atomic_block or not (self._state.adding or self._password):
            super().save(*args, **kwargs)
            return
        with transaction.atomic():
            verb, said = ("person.created", {"role": self.role}) if self._state.adding else ("person.changed", {})
            super().save(*args, **kwargs)
            record(Line(verb, self.actor, "cli", detail={**said, "fields": ["password"]} if self._password else said))

    def check_password(self, raw_password: str | None) -> bool:
        """Django's; hashed anew, with an entry that says so, where the way of hashing has changed since."""

        def hash_anew(raw_password: str) -> None:
            with transaction.atomic():
                self.set_password(raw_password)
                self._password = None
                self.save(update_fields=["password"])
                detail = {"fields": ["password"], "why": "hashed in a newer way"}
                record(Line("person.changed", self.actor, "worker:sign-in", detail=detail))

        return hashers.check_password(raw_password, self.password, hash_anew)

    def _get_session_auth_hash(self, secret: str | bytes | None = None) -> str:
        """Django's, and with it when they were last signed out everywhere: what sessions are checked against."""
        kept = str(super()._get_session_auth_hash(secret))  # type: ignore[misc]
        if self.signed_out_at is None:
            return kept
        return salted_hmac("signed_out_at", f"{kept} {self.signed_out_at.timestamp()}", secret=secret).hexdigest()

    @property
    def actor(self) -> str:
        """How the record names this person."""
        return f"person:{self.pk}"

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The person's time zone, for showing times."""
        return zoneinfo.ZoneInfo(self.time_zone)
