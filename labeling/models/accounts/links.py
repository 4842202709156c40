"""Links that open an account once: an invitation, a new password, the proof of an address."""

import uuid

from django.db import models
from django.utils import timezone

from labeling.models.people import User


class AccountLinkQuerySet(models.QuerySet["AccountLink"]):
    def alive(self) -> "AccountLinkQuerySet":
        """Not used yet and not too old, of an account that is open."""
        return self.filter(used_at=None, expires_at__gt=timezone.now(), user__is_active=True)


class AccountLink(models.Model):
    """A link for one person. Only the hash of its secret is stored."""

    class Purpose(models.TextChoices):
        INVITATION = "invitation", "Invitation"  # the first password, or the first sign-in through the provider
        PASSWORD = "password", "New password"
        ADDRESS = "address", "Proof of an address"  # that mail reaches the person there

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    purpose = models.CharField(max_length=16, choices=Purpose.choices)
    email = models.EmailField(blank=True)  # of the person, as an admin or they themselves named it
    is_mailed = models.BooleanField(default=False)  # sent there: its use proves the address; else it was handed over
    sha256 = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)
    used_at = models.DateTimeField(null=True, blank=True)

    objects = AccountLinkQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.purpose} of {self.user}"
