"""Two people to whom all happened that can happen."""

import pytest
from django.db import transaction

from agents.models import Play, Source
from tests import making
from tests.erasure.lives import CHOICES, PLAYS, POLICY, Life, live

KIM = Life("Kim.Zarnitz@acme.example", "Kim Zarnitz", "quokkaberry", "acme.example")
LEE = Life("lee.ostrava@acme.example", "Lee Ostrava", "marmaladefox", "acme.example")


@pytest.fixture
def admin(workspace, person):
    return person("Ada", role="admin")


@pytest.fixture
def world(workspace, admin, alice):
    """An agent that asks before it writes and notes alone, and a source."""
    with transaction.atomic():
        sandbox = making.sandbox()
        making.source()
        making.region()
        making.segment()
        for slug, payload in PLAYS.items():
            made = making.play(sandbox, slug, payload=payload)
            Play.objects.filter(pk=made.pk).update(name=slug.title())
        agent = making.agent(made, alice, policy=POLICY)
        agent.choices = CHOICES
        agent.save()
    return Source.objects.get()


@pytest.fixture
def lives(world, admin, bob):
    """Kim and Lee, of one account."""
    live(KIM, admin=admin, rep=bob)
    live(LEE, admin=admin, rep=bob)
    return KIM, LEE
