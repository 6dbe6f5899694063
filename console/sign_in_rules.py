"""Which roles need a second step to do anything. `console.backend` reads it with the person, so no page pays for it."""

from collections.abc import Sequence
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest

from approvals.models import Person, Role, SignInRules
from audit.entries import Line, record
from console import second_step

HAS_ONE = "second_step"


def roles() -> tuple[str, ...]:
    """The roles that need a second step, now."""
    kept = SignInRules.objects.first()
    return tuple(kept.second_step_roles) if kept else ()


def change(wanted: Sequence[str], *, actor: str) -> None:
    """Write down which roles need one from now on; nothing where it is so already."""
    chosen = [role for role in Role.values if role in wanted]
    with transaction.atomic():
        kept = SignInRules.objects.select_for_update().first() or SignInRules(pk=1)
        if kept.second_step_roles != chosen:
            before, kept.second_step_roles = kept.second_step_roles, chosen
            kept.save()
            said = {"before": before, "roles": ", ".join(Role(role).label for role in chosen) or "none"}
            record(Line("sign_in.ruled", "sign-in:rules", actor, detail=said))


def asks(person: Any) -> bool:
    """Whether this person's role needs one."""
    return person.role in (person.asked_roles or () if hasattr(person, "asked_roles") else roles())


def is_missing(request: HttpRequest) -> bool:
    """Whether the person needs a second step, and neither has one nor came through the provider."""
    person: Any = request.user
    if not asks(person) or request.session.get(HAS_ONE):
        return False
    by_provider = any(seen["method"] == "socialaccount" for seen in get_authentication_records(request, person))
    if by_provider or second_step.of(person).any:
        request.session[HAS_ONE] = True
        return False
    return True


def without_second_step() -> dict[str, int]:
    """How many active people of each role have none."""
    has = Authenticator.objects.filter(user=OuterRef("pk")).exclude(type=second_step.CODES)
    people = Person.objects.filter(~Exists(has), is_active=True)
    return dict(people.values_list("role").annotate(count=Count("pk")))
