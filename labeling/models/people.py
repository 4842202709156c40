"""People, their roles and their memberships in projects. Rules for passwords are in the settings."""

import secrets
import uuid
from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower


def new_pseudonym() -> str:
    """A random name under which a trainer appears in exports, so that it reveals nothing about the person."""
    return f"t-{secrets.token_hex(5)}"


class UserManager(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(username=self.model.normalize_username(username), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(username__iexact=username)


class User(AbstractBaseUser):
    class Role(models.TextChoices):
        TRAINER = "trainer", "Trainer"  # writes, chats, ranks
        REVIEWER = "reviewer", "Reviewer"  # a trainer who also accepts and returns dialogues
        ADMIN = "admin", "Admin"  # may do everything, and sets up projects and people
        ENGINEER = "engineer", "ML engineer"  # exports, trains, promotes
        VISITOR = "visitor", "Visitor"  # of the public preview; opens nothing else

        @classmethod
        def of_members(cls) -> list[tuple[str, str]]:
            """The choices where somebody is given a role: a visitor becomes one by signing up, and stays one."""
            return [(role.value, str(role.label)) for role in cls if role != cls.VISITOR]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    username = models.CharField(max_length=80, unique=True)
    display_name = models.CharField(max_length=120, blank=True)
    email = models.EmailField(blank=True)
    proven_email = models.EmailField(blank=True, db_default="")  # mail reached them there: a lost password is mended so
    role = models.CharField(max_length=16, choices=Role.choices, default=Role.TRAINER)
    pseudonym = models.CharField(max_length=40, unique=True, default=new_pseudonym, editable=False)
    is_active = models.BooleanField(default=True)
    is_simulated = models.BooleanField(default=False)  # a program that ranks; all its rankings are marked as simulated
    time_zone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=16, default="en")
    preferences = models.JSONField(default=dict, blank=True)  # of their own pages only: layout, theme, goal …
    topics = models.JSONField(default=list, blank=True)  # topics that they like to write about; empty means any
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects = UserManager()

    class Meta:
        constraints = (
            models.UniqueConstraint(Lower("username"), name="user_username_unique"),
            # One visitor an address; others may share one, or give it to themselves as a visitor.
            models.UniqueConstraint(
                Lower("email"), condition=Q(role="visitor") & ~Q(email=""), name="user_one_visitor_per_email"
            ),
        )

    def __str__(self) -> str:
        return self.display_name or self.username

    @property
    def is_visitor(self) -> bool:
        return self.role == self.Role.VISITOR

    @property
    def is_admin(self) -> bool:
        return self.role == self.Role.ADMIN

    @property
    def can_review(self) -> bool:
        return self.role in (self.Role.REVIEWER, self.Role.ADMIN)

    @property
    def can_train_models(self) -> bool:
        return self.role in (self.Role.ENGINEER, self.Role.ADMIN)

    @property
    def can_write_and_rank(self) -> bool:
        return self.role in (self.Role.TRAINER, self.Role.REVIEWER, self.Role.ADMIN)


class SignInFailures(models.Model):
    """The number of failed sign-ins for one name or from one address within a window of time."""

    key = models.CharField(max_length=200, primary_key=True)  # "name:alice" or "address:192.0.2.7"
    num_failures = models.PositiveIntegerField(default=0)
    window_ends_at = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "sign-in failures"

    def __str__(self) -> str:
        return f"{self.num_failures} for {self.key}"


class Membership(models.Model):
    """A person's membership in a project. Admins may open every project without one."""

    project = models.ForeignKey("labeling.Project", on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    guidelines_read = models.PositiveIntegerField(default=0)  # the newest guideline version this person has opened
    practised_at = models.DateTimeField(null=True, blank=True)  # when they first completed the practice set
    num_claims = models.PositiveIntegerField(default=0)  # comparisons leased to them since gold items are mixed in
    queue_cursor = models.FloatField(null=True, blank=True)  # they have been through the queue up to this queue_key
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("project", "user"), name="membership_unique"),)

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"
