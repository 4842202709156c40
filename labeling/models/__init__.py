"""The models, one module per subject. They know no view and no task.

Rows are the truth; a message on the broker is only a hint to look at a row.
"""

from labeling.models.accounts.erasures import PersonErasure
from labeling.models.accounts.links import AccountLink
from labeling.models.accounts.sessions import Session
from labeling.models.adjudications import Adjudication, ReturnedRanking, SeenOrders
from labeling.models.audit import AuditEvent, Report
from labeling.models.comments import Comment
from labeling.models.completions import Completion, SamplingRun
from labeling.models.dialogues import Dialogue, Message, PassedPrompt, Prompt, PromptVector
from labeling.models.evaluations import Candidate, Evaluation, Promotion
from labeling.models.exports import Export
from labeling.models.imports import Import
from labeling.models.limits.probe_runs import ProbeAnswer, ProbeLabel, ProbeRun
from labeling.models.limits.probe_sets import ProbeSetVersion, ProbeText
from labeling.models.mixtures import MOST_PARTS, MixturePart
from labeling.models.people import Membership, SignInFailures, User
from labeling.models.projects import GuidelineVersion, JudgingFigures, Project, Round
from labeling.models.public.challenges import (
    Challenge,
    ChallengeRules,
    Conflict,
    DrawnJuror,
    Entry,
    Juror,
    Mark,
    Objection,
    Result,
)
from labeling.models.public.mail import CaughtMail
from labeling.models.public.previews import Preview, PreviewSample, PreviewTerms, SampleAnswer
from labeling.models.public.visitors import Consent, DoorLink, Erasure, VisitorPrompt, VisitorUse
from labeling.models.rankings import Comparison, Lease, Ranking, Rating
from labeling.models.references import PracticeRanking, Reference
from labeling.models.registry import ModelShare, OwnedQuerySet, Policy, RewardModel
from labeling.models.safety.appeals import Appeal
from labeling.models.safety.filters import Filter, FilterRules, Screening, Withheld
from labeling.models.safety.labels import DrawnText, Label
from labeling.models.safety.reports import Case, CaseVector, FollowUp, Probe
from labeling.models.snippets import Snippet
from labeling.models.thumbs import Thumb
from labeling.models.tokens import ApiAnswer, ApiToken
from labeling.models.training import TrainingJob
from labeling.models.webhooks import Delivery, Webhook
from labeling.models.withdrawals import Withdrawal, WithdrawnRow

__all__ = [
    "MOST_PARTS",
    "AccountLink",
    "Adjudication",
    "ApiAnswer",
    "ApiToken",
    "Appeal",
    "AuditEvent",
    "Candidate",
    "Case",
    "CaseVector",
    "CaughtMail",
    "Challenge",
    "ChallengeRules",
    "Comment",
    "Comparison",
    "Completion",
    "Conflict",
    "Consent",
    "Delivery",
    "Dialogue",
    "DoorLink",
    "DrawnJuror",
    "DrawnText",
    "Entry",
    "Erasure",
    "Evaluation",
    "Export",
    "Filter",
    "FilterRules",
    "FollowUp",
    "GuidelineVersion",
    "Import",
    "JudgingFigures",
    "Juror",
    "Label",
    "Lease",
    "Mark",
    "Membership",
    "Message",
    "MixturePart",
    "ModelShare",
    "Objection",
    "OwnedQuerySet",
    "PassedPrompt",
    "PersonErasure",
    "Policy",
    "PracticeRanking",
    "Preview",
    "PreviewSample",
    "PreviewTerms",
    "Probe",
    "ProbeAnswer",
    "ProbeLabel",
    "ProbeRun",
    "ProbeSetVersion",
    "ProbeText",
    "Project",
    "Promotion",
    "Prompt",
    "PromptVector",
    "Ranking",
    "Rating",
    "Reference",
    "Report",
    "Result",
    "ReturnedRanking",
    "RewardModel",
    "Round",
    "SampleAnswer",
    "SamplingRun",
    "Screening",
    "SeenOrders",
    "Session",
    "SignInFailures",
    "Snippet",
    "Thumb",
    "TrainingJob",
    "User",
    "VisitorPrompt",
    "VisitorUse",
    "Webhook",
    "Withdrawal",
    "WithdrawnRow",
    "Withheld",
]
