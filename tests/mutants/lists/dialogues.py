"""Writing, chat, suggestions, review: whose words a message holds, and what a dialogue allows."""

from tests.mutants.mutant import platform_planter, unnoted

_answers = platform_planter("dialogues/answers.py", "dialogues/test_answers.py", "dialogues/test_regeneration.py")
_drafts = platform_planter(
    "dialogues/answers.py",
    "dialogues/views/test_chat.py::test_of_several_drafts_none_is_placed_and_asking_again_stops_them",
)
_authorship = platform_planter(
    "dialogues/authorship.py",
    "dialogues/test_authorship.py",
    "dialogues/test_editing.py",
    "rankings/test_corrections.py",
)
_borrowing = platform_planter("dialogues/borrowing.py", "dialogues/test_borrowing.py")
_answers_races = platform_planter("dialogues/answers.py", "dialogues/test_races.py")
_chat = platform_planter("dialogues/chat.py", "dialogues/views/test_chat.py")
_control_arm = platform_planter("dialogues/control_arm.py", "dialogues/test_control_arm.py")
_rules_races = platform_planter("dialogues/rules.py", "dialogues/test_races.py")
_editing = platform_planter("dialogues/editing.py", "dialogues/test_editing.py", "dialogues/test_regeneration.py")
_review = platform_planter("dialogues/review.py", "dialogues/test_review.py")
_undone = platform_planter("dialogues/review.py", "dialogues/test_undone_acceptances.py")
_returned = platform_planter("dialogues/review.py", "dialogues/test_comments.py")
_rules_undone = platform_planter("dialogues/rules.py", "dialogues/test_undone_acceptances.py")
_rules_comments = platform_planter("dialogues/rules.py", "dialogues/test_comments.py")
_comments = platform_planter("dialogues/comments.py", "dialogues/test_comments.py")
_comments_shown = platform_planter("dialogues/comments.py", "dialogues/views/test_comments.py")
_answered = platform_planter("dialogues/editing.py", "dialogues/test_comments.py")
_suggested = platform_planter("dialogues/suggested.py", "dialogues/test_suggested.py")
_blind = platform_planter("models/dialogues.py", "dialogues/views/test_blind_review.py")
_blind_words = platform_planter("templatetags/authors.py", "dialogues/views/test_blind_review.py")
_blind_search = platform_planter("projects/views/lists.py", "dialogues/views/test_blind_review.py")
_blind_programs = platform_planter("api/schemas.py", "dialogues/views/test_blind_review.py")
_notes = platform_planter("quality/notes.py", "quality/views/test_notes.py")

MUTANTS = [
    _answers("an answer that was asked for again is placed", "    if asked_again.exists():\n        return\n", ""),
    _answers_races(
        "an answer and an edit at once wait for each other",
        'Dialogue.objects.select_for_update(of=("self",)).filter(goes_in',
        "Dialogue.objects.filter(goes_in",
    ),
    _drafts(
        "the first of several drafts is chosen by itself",
        "run.purpose == Purpose.CHAT and run.num_completions == 1 and",
        "run.purpose == Purpose.CHAT and",
    ),
    _authorship("what another person was shown counts", "        dialogue__author=dialogue.author_id,\n", ""),
    _authorship("completions that nobody saw count", "        purpose__in=(Purpose.SUGGESTION, Purpose.CHAT),\n", ""),
    _authorship("drafts of a chat count for nothing", "(Purpose.SUGGESTION, Purpose.CHAT)", "(Purpose.SUGGESTION,)"),
    _authorship("what was ranked counts for nothing", "if dialogue.lease is not None:", "if False:"),
    _authorship(
        "a typed text keeps the policy of an earlier one",
        "origin.policy_id if origin is not None else None",
        "origin.policy_id if origin is not None else message.policy_id",
    ),
    _borrowing(
        "the browser is believed whatever the text is",
        "return named if named is not None and _is_left(plain, offered[named], found[0] if found else None) else None",
        "return named",
    ),
    _borrowing("a quotation of the prompt is a model's", "starts)) - num_quoted", "starts))"),
    _borrowing("a short text from elsewhere is a model's", "one.here or index == named or", "True or"),
    _borrowing(
        "half of the text is a third",
        "half = max(FEWEST, (len(plain) + 1) // 2)",
        "half = max(FEWEST, len(plain) // 3)",
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
    _review("a return leaves no audit event", "AuditEvent.note(RETURN", "(lambda *_, **__: None)(RETURN"),
    unnoted(_review, "an undone submission leaves no audit event", "undo submission"),
    _undone(
        "every reviewer undoes another's acceptance",
        "(by.is_admin or dialogue.reviewed_by_id == by.id)",
        "by.can_review",
    ),
    _undone("an admin undoes no acceptance of another", "(by.is_admin or dialogue", "(dialogue"),
    _undone(
        "an undone acceptance leaves no audit event", "AuditEvent.note(UNACCEPT", "(lambda *_, **__: None)(UNACCEPT"
    ),
    _undone("a text whose acceptance ended is ranked on", "    return _withdraw_copies(dialogue)\n", "    return []\n"),
    _undone(
        "a copy comes back with a text that was changed",
        'message__dialogue=dialogue, content=F("message__content"))',
        "message__dialogue=dialogue)",
    ),
    _undone("exports are not told of an acceptance that ended", "    dialogue.unaccepted_at = timezone.now()\n", ""),
    _rules_undone("who reviewed is not read again under the lock", '"reviewed_by", "reviewed_at"', '"reviewed_at"'),
    _rules_comments(
        "reviewers comment on their own dialogues", "dialogue.author_id == by.id and not by.is_admin", "False"
    ),
    _rules_comments("everybody comments", "    if not by.can_review:", "    if False:"),
    _returned(
        "comments that were sent before suffice to return a dialogue again",
        "dialogue.comments.filter(sent_at=None).exists()",
        "dialogue.comments.exists()",
    ),
    _comments("a comment that its author can read is taken back", "id=comment.id, sent_at=None)", "id=comment.id)"),
    _comments("another's comment is taken back", "        if comment.author_id != by.id:", "        if False:"),
    _comments("everybody answers", "        require_editable(dialogue, by)\n", ""),
    _comments("what was not sent is answered", "Comment.objects.sent().filter", "Comment.objects.filter"),
    unnoted(_comments, "a comment leaves no audit event", "comment on message"),
    unnoted(_comments, "a comment taken back leaves no audit event", "take comment back"),
    unnoted(_comments, "an answer leaves no audit event", "answer comment"),
    _comments_shown(
        "its author reads a comment before it is sent", "if reviews else found.sent()", "if True else found"
    ),
    _answered("an edit answers no comment", "            message.comments.mark_answered(Comment.Answer.CHANGED)\n", ""),
    _answered(
        "comments on removed messages stay open",
        "    Comment.objects.filter(message__in=messages).mark_answered(Comment.Answer.REMOVED)\n",
        "",
    ),
    _suggested("comparing texts has no bound", "if left >= 0 else None", ""),
    _blind("an admin sees the names of a blind review", "not reader.can_review or self", "reader.is_admin or self"),
    _blind("another's decision tells the name", "self.reviewed_by_id == reader.pk and self.state", "self.state"),
    _blind(
        "who returned a dialogue knows its author when it comes again",
        "self.reviewed_by_id == reader.pk and self.state in self.DECIDED",
        "self.reviewed_by_id == reader.pk",
    ),
    _blind_words("a blind review shows names", "if dialogue.hides_author_from(reader) else", "if False else"),
    _blind_search(
        "a search finds the author of a blind review",
        "Dialogue.objects.naming_author_to(reader).filter(author__in=people)",
        "Dialogue.objects.filter(author__in=people)",
    ),
    _blind_programs(
        "the API names the author of a blind review",
        'row.author is None or row.hides_author_from(context["request"].user)',
        "row.author is None",
    ),
    _notes(
        "notes are read by who may still rank their comparison",
        "_with_note(project).filter(over | Exists(done))",
        "_with_note(project)",
    ),
    _notes("notes are read by who holds a lease on their comparison", " & ~Exists(is_asked_again)", ""),
    _notes(
        "notes of retracted rankings are read",
        "comparison__project=project, retracted_at=None)",
        "comparison__project=project)",
    ),
    _notes("comments on withdrawn dialogues are read", ".exclude(dialogue__state=Dialogue.State.WITHDRAWN)", ""),
]
