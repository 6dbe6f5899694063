"""Proofs to take away, in forms that other tools read: of one entry, and that the record only grew."""

from uuid import UUID

from django import forms
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from agents import access
from audit import proofs
from audit.checkpoints import CheckpointError
from audit.inclusion import seal_of
from audit.models import Checkpoint, Entry
from audit.standalone import Refused
from audit.tiles import TileError
from console.views import page
from console.views.audit import not_here


class SizesForm(forms.Form):
    """Two trees, by how many entries they have; without a second one the newest."""

    old = forms.IntegerField(min_value=1)
    new = forms.IntegerField(min_value=1, required=False)


@require_GET
def inclusion(request: HttpRequest, pk: UUID) -> HttpResponse:
    """`/audit/<id>/proof`: that one entry is in the record, with its bytes."""
    access.require(request.user, access.SEE)
    entry = access.visible(request.user, Entry.objects.filter(pk=pk)).first()
    if entry is None:
        return not_here(request, pk)
    seal = seal_of(pk, cosigned=True)
    if seal is None:
        return page.trouble(request, status=409, title="It is not sealed yet.", text="Ask again in a moment.")
    if seal.fault:
        return page.trouble(request, status=409, title="Its seal does not hold.", text=f"It says: {seal.fault}.")
    with connection.cursor() as cursor:
        note = proofs.cosigned(cursor, seal.size, seal.note)
    return _file(proofs.inclusion(seal.seq, seal.proof, note, bytes(entry.body)), f"entry-{seal.seq}.tlog-proof")


@require_GET
def consistency(request: HttpRequest) -> HttpResponse:
    """`/audit/consistency?old=…&new=…`: that the record of so many entries begins with that of fewer."""
    access.require(request.user, access.SEE, Checkpoint)
    form = SizesForm(request.GET)
    if not form.is_valid():
        text = "Say of how many entries the older checkpoint speaks: its second line."
        return page.trouble(request, status=422, title="That is no number of entries.", text=text)
    old, new = form.cleaned_data["old"], form.cleaned_data["new"]
    with connection.cursor() as cursor:
        over = _checkpoint(new) if new else proofs.newest(cursor, over=old)
        if over is None or old > over[0]:
            return page.trouble(request, status=422, title="No such checkpoints.", text=_there_are(new or old))
        size, note = over
        try:
            text = proofs.checked_consistency(cursor, old, size, note)
        except (CheckpointError, Refused, TileError) as error:
            return page.trouble(request, status=409, title="The record can't prove it.", text=f"{error}. Verify it.")
    return _file(text, f"record-{old}-{size}.txt")


def _checkpoint(size: int) -> tuple[int, str] | None:
    one = Checkpoint.objects.filter(size=size).first()
    if one is None:
        return None
    with connection.cursor() as cursor:
        return size, proofs.cosigned(cursor, size, one.note)


def _there_are(size: int) -> str:
    near = [
        Checkpoint.objects.filter(size__lte=size).order_by("-size").values_list("size", flat=True).first(),
        Checkpoint.objects.filter(size__gt=size).order_by("size").values_list("size", flat=True).first(),
    ]
    told = " and ".join(f"{one:,}" for one in near if one)
    return f"The checkpoints nearest to {size:,} entries are over {told}." if told else "Nothing is sealed yet."


def _file(text: str, name: str) -> HttpResponse:
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
