"""Training jobs: one run of a training program by a train worker, which has no access to the database."""

from django.db import models
from django.db.models import Q

from labeling.models.exports import Export
from labeling.models.leased import LeasedRow
from labeling.models.projects import Project, Round
from labeling.models.registry import Policy, RewardModel


class TrainingJob(LeasedRow):
    class Kind(models.TextChoices):
        SFT = "sft", "Supervised fine-tuning"
        REWARD_MODEL = "reward_model", "Reward model"
        PPO = "ppo", "PPO"
        RLOO = "rloo", "RLOO"
        DPO = "dpo", "DPO"
        KTO = "kto", "KTO"
        REJECTION_SAMPLING = "rejection_sampling", "Rejection sampling"
        FILTER = "filter", "Content filter"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"  # not sent, or to be sent again
        SENT = "sent", "Sent"  # a message is in the queue; the lease runs
        RUNNING = "running", "Running"  # reports of progress renew the lease
        DONE = "done", "Done"  # its model is in the registry
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    ALIVE = (State.WAITING, State.SENT, State.RUNNING)
    MAX_ATTEMPTS = 3  # attempts that a worker began; a lost message does not count

    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="training_jobs")
    round = models.ForeignKey(Round, null=True, blank=True, on_delete=models.PROTECT, related_name="training_jobs")
    kind = models.CharField(max_length=32, choices=Kind.choices)
    output_name = models.SlugField(max_length=100)  # of the policy or reward model to be made
    options = models.JSONField(default=dict, blank=True)
    export = models.ForeignKey(Export, on_delete=models.PROTECT, related_name="training_jobs")
    policy = models.ForeignKey(Policy, null=True, blank=True, on_delete=models.PROTECT, related_name="training_jobs")
    reward_model = models.ForeignKey(
        RewardModel, null=True, blank=True, on_delete=models.PROTECT, related_name="training_jobs"
    )
    # Further reward models, whose scores and the reward model's become one (option `ensemble`).
    ensemble_models = models.ManyToManyField(RewardModel, blank=True, related_name="+")
    # A second export: mixed into what a policy learns, or the texts on which a reward model's mean score is set to 0.
    demonstrations = models.ForeignKey(Export, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # Not trained against: it chooses the best epoch of SFT, or monitors PPO or RLOO for overoptimisation.
    watching_model = models.ForeignKey(RewardModel, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # The job whose options it repeats on rebuilt exports.
    retrained_from = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="retrainings", db_index=False
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.WAITING)
    num_failures = models.PositiveSmallIntegerField(default=0)  # attempts that began and failed
    stage = models.CharField(max_length=40, blank=True, default="", db_default="")  # what it is at, while it runs
    # Failed by its options or its data: the same job would fail in the same way, so it is not tried again.
    needs_other_settings = models.BooleanField(default=False, db_default=False)
    metrics = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)

    class Meta(LeasedRow.Meta):
        constraints = (
            # No two jobs may make a model of the same name, unless the other has failed or was cancelled.
            models.UniqueConstraint(
                fields=("output_name",),
                condition=Q(state__in=("waiting", "sent", "running", "done")),
                name="training_job_output_name_unique",
            ),
        )
        indexes = (
            models.Index(fields=("project", "-created_at", "-id"), name="training_job_newest"),
            models.Index(
                fields=("lease_until",), condition=Q(state__in=("waiting", "sent", "running")), name="training_leases"
            ),
            models.Index(
                fields=("retrained_from",), condition=~Q(retrained_from=None), name="training_job_retrainings"
            ),
        )

    @property
    def can_be_retried(self) -> bool:
        """Whether it ended without a model in a way that may go otherwise the next time."""
        return self.state in (self.State.FAILED, self.State.CANCELLED) and not self.needs_other_settings

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.output_name}"
