"""Writing, chat, suggestions, review: whose words a message holds, and what a dialogue allows."""

from tests.mutants.mutant import platform_planter, unnoted

_answers = platform_planter("dialogues/answers.py", "dialogues/test_answers.py", "dialogues/test_regeneration.py")
_drafts = platform_planter(
    "dialogues/answers.py",
    "dialogues/views/test_chat.py::test_of_several_drafts_none_is_placed_and_asking_again_stops_them",
)
_answers_races = platform_planter("dialogues/answers.py", "dialogues/test_races.py")
_chat = platform_planter("dialogues/chat.py", "dialogues/views/test_chat.py")
_control_arm = platform_planter("dialogues/control_arm.py", "dialogues/test_control_arm.py")
_rules_races = platform_planter("dialogues/rules.py", "dialogues/test_races.py")
_editing = platform_planter("dialogues/editing.py", "dialogues/test_editing.py", "dialogues/test_regeneration.py")
_review = platform_planter("dialogues/review.py", "dialogues/test_review.py")

MUTANTS = [
    _answers("an answer that was asked for again is placed", "    if asked_again.exists():\n        return\n", ""),
    _answers_races(
        "an answer and an edit at once wait for each other",
        'Dialogue.objects.select_for_update(of=("self",)).filter(goes_in',
        "Dialogue.objects.filter(goes_in",
    ),
    _drafts(
        "the first of several drafts is chosen by itself",
        "elif run.purpose == Purpose.CHAT and run.num_completions == 1:",
        "elif run.purpose == Purpose.CHAT:",
    ),
    _chat("the chosen draft is the worst", "tiers=[best, others]", "tiers=[others, best]"),
    _chat("a choice passes for a whole ranking", "        is_choice=True,\n", ""),
    unnoted(_chat, "a choice leaves no audit event", "choose answer"),
    _chat("what nobody waits for is sampled on", "    stop_runs(dialogue, by=by)\n", ""),
    _control_arm("the arm ignores who writes", ":{project.id}:{by.id}:{subject}", ":{project.id}:{subject}"),
    _control_arm("the arm ignores the opening", ":{project.id}:{by.id}:{subject}", ":{project.id}:{by.id}"),
    _control_arm(
        "a difference is given for too few in one arm",
        "if min(len(offered), len(control)) >= FEWEST",
        "if max(len(offered), len(control)) >= FEWEST",
    ),
    _control_arm(
        "answers of the control arm count as written with suggestions",
        "answers = sum(len(one.lengths) for one in written if one.offered)",
        "answers = sum(len(one.lengths) for one in written)",
    ),
    _control_arm(
        "dialogues of other projects are compared", "        project=project,\n        kind=", "        kind="
    ),
    _control_arm(
        "answers without a time count as quick ones",
        "(one.offered, one.seconds, len(one.lengths)) for one in timed]",
        "(one.offered, one.seconds, len(one.lengths)) for one in written]",
    ),
    _control_arm("every audit event counts as a change", ', verb="edit message")', ")"),
    _rules_races(
        "two tabs add a message to the same place",
        'from_queryset=Dialogue.objects.select_for_update(of=("self",))',
        "from_queryset=Dialogue.objects.all()",
    ),
    _editing(
        "a copied message's time counts twice",
        "copy.dialogue, copy.seconds = Message._meta.pk.get_default(), dialogue, 0.0",
        "copy.dialogue = Message._meta.pk.get_default(), dialogue",
    ),
    _editing("a branch leaves the control arm", "        offers_suggestions=origin.offers_suggestions,\n", ""),
    unnoted(_editing, "what was put back is not noted", "put message back"),
    unnoted(_editing, "a branch is not noted", "branch dialogue"),
    _review(
        "a text of a withdrawn dialogue stays in copied comparisons",
        "    Comparison.objects.filter(id__in=ids).update(state=Comparison.State.WITHDRAWN)\n",
        "",
    ),
    _review("the first comparison of a family is withdrawn with its copy", '.exclude(family=F("id"))', ""),
    _review("a withdrawal leaves no audit event", "AuditEvent.note(WITHDRAW", "(lambda *_, **__: None)(WITHDRAW"),
    unnoted(_review, "a return leaves no audit event", "return dialogue"),
    unnoted(_review, "an undone submission leaves no audit event", "undo submission"),
]
