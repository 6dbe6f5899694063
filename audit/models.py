"""The record's tables as Django sees them, for reading.

They are made by SQL (migration 0001) and written by `audit.entries` and `audit.seal` alone; the database itself
refuses UPDATE, DELETE and TRUNCATE on entries, leaves and checkpoints. Unmanaged, so that no flush tries.
"""

from django.db import models


class Entry(models.Model):
    """One line of the record. Every column but `body` is read out of `body`, and `verify` recomputes it from there."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField(help_text="The id's moment, to the millisecond.")
    verb = models.TextField(help_text="From audit.words, such as action.delivered.")
    actor = models.TextField(help_text="Who did it: person:ana@…, worker:loop, source:web, cli.")
    subject = models.TextField(help_text="What it was done to, as kind:key.")
    agent = models.TextField(default="", help_text="The agent's slug.")
    run = models.UUIDField(null=True)
    region = models.TextField(default="")
    segment = models.TextField(default="")
    account = models.TextField(default="")
    request = models.TextField(default="", help_text="The request or task that carried it.")
    body = models.BinaryField(help_text="RFC 8785 bytes: what is sealed.")

    class Meta:
        managed = False
        db_table = "audit_entry"
        ordering = ["-id"]
        verbose_name_plural = "entries"

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%dT%H:%M:%S.%fZ} {self.actor} {self.verb} {self.subject}"


class Pending(models.Model):
    """An entry that waits for the sealer."""

    entry = models.UUIDField(primary_key=True)

    class Meta:
        managed = False
        db_table = "audit_pending"
        verbose_name_plural = "pending"

    def __str__(self) -> str:
        return str(self.entry)


class Leaf(models.Model):
    """An entry's place in the sealed record: its dense number from 0 and its RFC 6962 leaf hash."""

    seq = models.BigIntegerField(primary_key=True)
    entry = models.UUIDField(unique=True)
    hash = models.BinaryField()

    class Meta:
        managed = False
        db_table = "audit_leaf"
        ordering = ["seq"]
        verbose_name_plural = "leaves"

    def __str__(self) -> str:
        return f"{self.seq}: {self.entry}"


class Checkpoint(models.Model):
    """A signed statement that the first `size` entries have the Merkle root `root`."""

    size = models.BigIntegerField(primary_key=True)
    root = models.BinaryField()
    note = models.TextField(help_text="C2SP signed note.")
    frontier = models.BinaryField(help_text="audit.merkle.Frontier after `size` leaves, from which sealing goes on.")
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "audit_checkpoint"
        ordering = ["size"]

    def __str__(self) -> str:
        return f"{self.size} at {self.at:%Y-%m-%dT%H:%M:%SZ}"


class Key(models.Model):
    """A public key that checkpoints are or were signed with, as a C2SP verifier key."""

    vkey = models.TextField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "audit_key"
        ordering = ["at"]

    def __str__(self) -> str:
        return self.vkey
