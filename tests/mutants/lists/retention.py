"""Whose models are, what an erasure leaves, what is kept: tests/labeling/retention and rounds/test_sharing."""

from tests.mutants.mutant import platform_planter

PEOPLE, RULES, SHARING = "retention/test_people.py", "retention/test_rules.py", "rounds/test_sharing.py"

_people = platform_planter("retention/people.py", PEOPLE)
_words = platform_planter("retention/words.py", PEOPLE)
_rules = platform_planter("retention/rules.py", RULES)
_audit = platform_planter("retention/audit.py", RULES)
_reached = platform_planter("preview/erasure.py", PEOPLE)
_registry = platform_planter("models/registry.py", SHARING)
_sharing = platform_planter("sampling/sharing.py", SHARING)
_inputs = platform_planter("rounds/training_inputs.py", SHARING)
_promotion = platform_planter("rounds/promotion.py", SHARING)
_workers = platform_planter("webhooks/deliveries.py", "webhooks/test_standard_webhooks.py")

MUTANTS = [
    _people("an admin erases themselves", "by is not None and by.pk == person.pk", "False"),
    _people("sessions go on", "    Session.objects.filter(user=person).delete()\n", ""),
    _people("a note stays readable in exports", '~Q(note="") | ', ""),
    _words("comments stay", '    (Comment, "author"),\n', ""),
    _reached("others' branches keep the words", "Q(branched_from__in=new) | ranked", "Q(pk=None)"),
    _reached(
        "comparisons keep a text that was written better",
        "held = Q(completions__message__dialogue__in=reached)",
        "held = Q(pk=None)",
    ),
    _rules("chats that were ranked go", "chats.filter(~Exists(ranked), ~Exists(rated)", "chats.filter(~Exists(rated)"),
    _rules("work that was handed in goes", "state=State.DRAFT, submitted_at=None, reviewed_at=None)", ")"),
    _rules("a text under appeal goes", ".exclude(screening__in=waiting)", ""),
    _audit(
        "any role deletes events",
        "while (ids := list(waiting.all())) and is_owner():\n        with _maintenance() as"
        ' cursor:\n            cursor.execute(f"DELETE',
        "while ids := list(waiting.all()):\n        with _maintenance()"
        ' as cursor:\n            cursor.execute(f"DELETE',
    ),
    _registry("every model is every project's", "return self.filter(Q(project=None)", "return self.filter(Q()"),
    _registry("what was revoked is shared still", "return self.filter(revoked_at=None)", "return self.all()"),
    _sharing("what a project samples from is taken away", "if project.policy_id == model.pk or ", "if "),
    _promotion("another project's policy is promoted", "if why := why_not_open(project, policy):", 'if why := "":'),
    _inputs("training starts from another's", "if why := why_not_open(project, *models):", 'if why := "":'),
    _workers("the id is not signed", 'f"{delivery_id}.{at}.{body}"', 'f"{at}.{body}"'),
    _workers("the old secret signs for ever", "webhook.old_secret_until > timezone.now()", "True"),
]
