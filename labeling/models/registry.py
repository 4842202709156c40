"""The model registry: every policy and reward model that was trained or imported, and its origin."""

import uuid

from django.db import models
from django.db.models import Q


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

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return self.name
