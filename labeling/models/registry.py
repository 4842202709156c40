"""The model registry: every policy and reward model that was trained or imported, its origin, and whose it is.

A model belongs to the project that trained it. Other projects neither see nor use it until an admin shares it with
them (ModelShare). One without a project is the platform's, and offered to all: the bundled policy, and what the
administrator of the machine registered.
"""

import uuid
from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models import Q

if TYPE_CHECKING:
    from labeling.models.people import User
    from labeling.models.projects import Project


class OwnedQuerySet(models.QuerySet[Any]):
    def open_to(self, project: "Project") -> Self:
        """What this project may choose: its own, the platform's, and what is shared with it."""
        return self._of(project=project.pk)

    def visible_to(self, user: "User") -> Self:
        """What somebody who may train models sees: of their projects what each is open to; everything for an admin."""
        return self if user.is_admin else self._of(project__memberships__user=user)

    def _of(self, **owner: Any) -> Self:
        kind = "policy" if self.model is Policy else "reward_model"
        shared = ModelShare.objects.in_force().filter(**{f"{kind}__isnull": False, **owner}).values(kind)
        own = self.model._default_manager.filter(**owner).values("pk")
        return self.filter(Q(project=None) | Q(pk__in=own) | Q(pk__in=shared))


class Policy(models.Model):
    """A language model that samples completions.

    Either from files in the model store, verified by the hash of their manifest, or on an external server, whose key
    only the sample workers know.
    """

    class State(models.TextChoices):
        CANDIDATE = "candidate", "Candidate"  # trained or imported, not yet promoted
        PROMOTED = "promoted", "Promoted"  # samples for at least one project
        RETIRED = "retired", "Retired"  # not offered any more; its completions stay

    class Backend(models.TextChoices):
        LOCAL = "local", "Local transformers"
        OPENAI = "openai", "OpenAI-compatible server"

    class ServerKind(models.TextChoices):  # records.ServerKind
        OPENAI = "openai", "OpenAI, or another that speaks as it does"
        VLLM = "vllm", "vLLM"
        LLAMA_CPP = "llama.cpp", "llama.cpp server"
        TGI = "tgi", "text-generation-inference"
        TRANSFORMERS = "transformers", "transformers serve"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=100, unique=True)
    backend = models.CharField(max_length=16, choices=Backend.choices, default=Backend.LOCAL)
    project = models.ForeignKey(  # whose it is; None: the platform's, offered to every project
        "labeling.Project", null=True, blank=True, on_delete=models.PROTECT, related_name="policies"
    )
    store_path = models.CharField(max_length=300, blank=True)  # relative to the model store
    manifest_sha256 = models.CharField(max_length=64, blank=True)
    server_kind = models.CharField(max_length=16, choices=ServerKind.choices, blank=True)
    server_url = models.CharField(max_length=300, blank=True)  # base URL of its API, as https://host:8000/v1
    server_model = models.CharField(max_length=300, blank=True)  # the server's own name for the model
    state = models.CharField(max_length=16, choices=State.choices, default=State.CANDIDATE)
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="children")
    training_job = models.OneToOneField(
        "labeling.TrainingJob", null=True, blank=True, on_delete=models.PROTECT, related_name="policy_made"
    )
    metrics = models.JSONField(default=dict, blank=True)
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    promoted_at = models.DateTimeField(null=True, blank=True)
    promoted_by = models.ForeignKey("labeling.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    objects = OwnedQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "policies"
        ordering = ("-created_at",)
        constraints = (
            models.CheckConstraint(
                condition=~Q(backend="local") | ~Q(store_path=""), name="policy_local_has_store_path"
            ),
            models.CheckConstraint(
                condition=~Q(backend="openai") | ~(Q(server_kind="") | Q(server_url="") | Q(server_model="")),
                name="policy_openai_has_server",
            ),
        )

    def __str__(self) -> str:
        return self.name


class RewardModel(models.Model):
    """A model that scores whole completions, trained on one export."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(max_length=100, unique=True)
    project = models.ForeignKey(  # as of a policy
        "labeling.Project", null=True, blank=True, on_delete=models.PROTECT, related_name="reward_models"
    )
    store_path = models.CharField(max_length=300)
    manifest_sha256 = models.CharField(max_length=64)
    export = models.ForeignKey(
        "labeling.Export", null=True, blank=True, on_delete=models.PROTECT, related_name="reward_models"
    )
    training_job = models.OneToOneField(
        "labeling.TrainingJob", null=True, blank=True, on_delete=models.PROTECT, related_name="reward_model_made"
    )
    metrics = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = OwnedQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name


class ModelShareQuerySet(models.QuerySet["ModelShare"]):
    def in_force(self) -> "ModelShareQuerySet":
        return self.filter(revoked_at=None)


class ModelShare(models.Model):
    """An admin's decision that another project may see and use a model; revoked, the row stays and says until when."""

    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.CASCADE, related_name="shares")
    reward_model = models.ForeignKey(
        RewardModel, null=True, blank=True, on_delete=models.CASCADE, related_name="shares"
    )
    project = models.ForeignKey("labeling.Project", on_delete=models.CASCADE, related_name="model_shares")
    by = models.ForeignKey("labeling.User", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ModelShareQuerySet.as_manager()

    class Meta:
        ordering = ("-at",)
        constraints = (
            models.CheckConstraint(condition=Q(policy=None) ^ Q(reward_model=None), name="model_share_of_one_model"),
            models.UniqueConstraint(
                fields=("policy", "project"), condition=Q(revoked_at=None), name="model_share_policy_once"
            ),
            models.UniqueConstraint(
                fields=("reward_model", "project"), condition=Q(revoked_at=None), name="model_share_reward_model_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.policy or self.reward_model} for {self.project}"
