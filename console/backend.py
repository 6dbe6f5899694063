"""The person behind a session, fetched with the rule that says which roles need a second step: one query for both."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db.models import JSONField, Subquery

from approvals.models import Person, SignInRules


class PersonBackend(ModelBackend):
    """Signs in by e-mail and password; `person.asked_roles` are the roles that need a second step, or None."""

    def get_user(self, user_id: Any) -> Person | None:
        rule = SignInRules.objects.order_by("pk").values("second_step_roles")[:1]
        people = Person.objects.annotate(asked_roles=Subquery(rule, output_field=JSONField()))
        person = people.filter(pk=user_id).first()
        return person if person is not None and self.user_can_authenticate(person) else None
