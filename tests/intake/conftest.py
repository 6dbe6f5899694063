from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import requests
from django.db import connection, transaction

from agents.loop.sources import load_sources
from agents.models import Region, Segment, Source
from audit.entries import Line, record

SECRET = "whsec_c2lnbmFsYm94IGluIGEgcmFpbHdheSB5YXJk"


def make_source(slug="web", **fields):
    secrets = fields.pop("secrets", {})
    with transaction.atomic():
        source = Source(**{"slug": slug, "name": slug.title(), "key": f"key-of-{slug}", **fields})
        source.secrets = secrets
        source.save()
        for tree, codes in ((Region, ("emea", "emea/de", "amer")), (Segment, ("enterprise", "smb"))):
            for code in codes:
                parent = tree.objects.filter(code=code.rpartition("/")[0]).first()
                tree.objects.get_or_create(code=code, defaults={"name": code, "parent": parent})
        nouns = [f"region:{r}" for r in Region.objects.values_list("code", flat=True)]
        nouns += [f"segment:{s}" for s in Segment.objects.values_list("code", flat=True)]
        record(*[Line("source.changed", subject, "cli") for subject in (f"source:{slug}", *nouns)])
    return source


@pytest.fixture
def source(db):
    return make_source()


@pytest.fixture
def known(source):
    """The source as the intake sees it."""
    with connection.cursor() as wrapped:
        return load_sources(wrapped.cursor, {})[source.slug]


@pytest.fixture
def cur(source):
    """A raw cursor in the test's transaction."""
    with connection.cursor() as wrapped:
        yield wrapped.cursor


@dataclass
class Door:
    """The way in of a running web server."""

    url: str
    pid: int
    key: str = "key-of-web"

    def post(self, body, *, path="/in/web", key=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        authorization = {} if key == "" else {"Authorization": f"Bearer {key or self.key}"}
        if isinstance(body, (dict, list)):
            return requests.post(self.url + path, json=body, headers=authorization | named, timeout=20)
        named.setdefault("Content-Type", "application/json")
        return requests.post(self.url + path, data=body, headers=authorization | named, timeout=20)


@contextmanager
def open_door(workspace, **options):
    """A real gunicorn with one source, "web", that has a signing secret besides its key."""
    make_source(secrets={"signing": [SECRET]})
    web = workspace.web(**options)
    try:
        yield Door(web.url, web.pid)
    finally:
        web.kill()


@pytest.fixture
def door(workspace):
    with open_door(workspace) as opened:
        yield opened
