"""The public door: who comes in, what they may ask for, what leaves with their consent, and what an erasure leaves."""

from tests.mutants.mutant import Mutant, planter, platform_planter, unnoted

_boundaries = platform_planter("web/permissions/guards.py", "preview/test_boundaries.py")
_others = platform_planter("preview/lookup.py", "preview/test_chatting.py")
_door = platform_planter("preview/door.py", "preview/test_door.py")
_limits = platform_planter("preview/limits.py", "preview/test_limits.py")
_consent = platform_planter("exports/visitors.py", "preview/test_consent.py")
_asked = platform_planter("exports/selection.py", "preview/test_consent.py")
_change = platform_planter("preview/consent.py", "preview/test_consent.py")
_taking = platform_planter("preview/taking_in.py", "preview/test_consent.py")
_erasure = platform_planter("preview/erasure.py", "preview/test_erasure.py")
_broker = platform_planter("jobs/dispatch.py", "preview/test_erasure.py")
_chat = platform_planter("preview/chatting.py", "preview/test_chatting.py")
_samples = platform_planter("preview/samples.py", "preview/test_boundaries.py")
_tokens = platform_planter("accounts/api_tokens.py", "preview/test_boundaries.py")
_eligible = platform_planter("sampling/comparisons.py", "preview/test_chatting.py")
_engine = planter("language/engine.py", "tests/language/test_engine.py")
_lanes = planter("sampler/backends/concurrency_limits.py", "tests/sampler/test_concurrency_limits.py")
_lines = planter("records/lines.py", "tests/labeling/preview/test_erasure.py")

MUTANTS: list[Mutant] = [
    _boundaries("visitors open what is for all who work here", " if role != User.Role.VISITOR)", ")"),
    _others(
        "another's chat opens",
        "id=dialogue_id, author=person(request), project=preview",
        "id=dialogue_id, project=preview",
    ),
    _others(
        "another's answer is heard",
        "id=run_id, requested_by=person(request), project__preview",
        "id=run_id, project__preview",
    ),
    _tokens("a visitor's token opens the API", " or token.owner.is_visitor:", ":"),
    _door("a link works twice", "filter(id=link.id, used_at=None)", "filter(id=link.id)"),
    _door("a link of another preview lets in", 'if read.get("preview") == preview.pk:', "if read:"),
    _door(
        "sign-ups of one network are counted side by side",
        'cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"parley: door {hashed}"])',
        "pass",
    ),
    _door("the salt is the same every day", "addresses of {timezone.now().date().isoformat()}", "addresses"),
    _door(
        "consent is given by a link that did not ask for it", "training=training or locked.training", "training=True"
    ),
    unnoted(_erasure, "an erasure leaves no trace in the audit", "erase account"),
    _limits(
        "what is said while an account is erased is kept",
        "is_active = User.objects.select_for_update(no_key=True).get(pk=user.pk).is_active",
        "is_active = User.objects.get(pk=user.pk).is_active",
    ),
    _limits(
        "two visitors at once share what is left for one",
        "    Preview.objects.select_for_update(no_key=True).get(pk=preview.pk)\n",
        "",
    ),
    _limits("a stopped answer was free", "if completions or use.run.state != SamplingRun.State.CANCELLED:", "if True:"),
    _limits("the second answer counts as a message", "is_message=not place", "is_message=True"),
    _limits("a pause never ends", "(ends := blocks[0] + PAUSE) > timezone.now()", "(ends := blocks[0] + PAUSE)"),
    _consent("nothing asks for consent", "| consented)", "| ~Q(pk=None))"),
    _consent("consent reaches back", "training=True, at__lte=at)", "training=True)"),
    _consent(
        "consent to the terms is consent to training",
        "preview__project=project, training=True, ",
        "preview__project=project, ",
    ),
    _asked("visitors' choices leave unasked", "if asks_visitors else (Comparison.Use.WORK,)", "if True else ()"),
    _change("what was taken back stays in the pool", "prompts.update(retired_at=Now())", "prompts.count()"),
    _taking("chats from before consent are taken in", ', at__lte=OuterRef("created_at")', ""),
    _erasure(
        "words in reports stay",
        "    safety_erasure.erase_reports(Report.objects.filter(about), by",
        "    (Report, about, by",
    ),
    _erasure(
        "trainers' dialogues keep the words that they begin with",
        "    return Q(id__in=own) | begun | ",
        "    return Q(id__in=own) | ",
    ),
    _erasure("an export that is being made brings words back", "    if not may_hold.exists():\n", "    if True:\n"),
    _broker("requests that wait keep the words", "if any(one in body for one in wanted):", "if False:"),
    _broker("streams keep the words", "        _redis().delete(*keys)\n", "        pass\n"),
    _lines("what was erased is trained on", 'value.get("id") in erased)', "False)"),
    _chat("the order of two answers is not drawn", "% 2 == 1", "% 2 == 2"),
    _samples(
        "a sample's seed is another at every try",
        'seed = drawn(f"preview sample: {policy.name} {fingerprint(messages)}") % 2**31',
        "seed = int(id(sample)) % 2**31",
    ),
    _eligible("visitors' chats become comparisons", " | Q(dialogue__kind=Dialogue.Kind.VISITOR)", ""),
    _engine(
        "visitors join as people do",
        "Lane.of(urgent=urgent, is_visitors=is_visitors)",
        "Lane.of(urgent=urgent, is_visitors=False)",
    ),
    _lanes(
        "visitors take places before people",
        "for lane in Lane if self._waiting[lane])",
        "for lane in reversed(Lane) if self._waiting[lane])",
    ),
]
