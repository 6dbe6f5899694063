"""Who may be contacted: the contact lock and the do-not-contact list, both on a keyed hash of the person."""

from django.db import models

from approvals.models import Person


class ContactLock(models.Model):
    """The agent that holds a person until `until`; taken by compare-and-set at the gate."""

    contact = models.BinaryField(primary_key=True)
    agent = models.ForeignKey("Agent", on_delete=models.CASCADE)
    action_id = models.UUIDField()
    taken_at = models.DateTimeField()
    until = models.DateTimeField()


class DoNotContact(models.Model):
    """Checked at the gate for every connector. `hint` shows enough to recognise the address, not to use it."""

    class Origin(models.TextChoices):
        IMPORT = "import", "Imported"
        PERSON = "person", "Added by a person"
        UNSUBSCRIBE = "unsubscribe", "Unsubscribed"

    contact = models.BinaryField(primary_key=True)
    hint = models.CharField(max_length=120)
    origin = models.CharField(max_length=12, choices=Origin)
    reason = models.CharField(max_length=200, blank=True)
    added_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-added_at"]
        verbose_name_plural = "do not contact"

    @property
    def hash(self) -> str:
        """How addresses and the record name the person."""
        return bytes(self.contact).hex()
