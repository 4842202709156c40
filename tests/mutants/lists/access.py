"""Who may open what: rows and roles, accounts, passwords and tokens, the doors of the API."""

from tests.mutants.mutant import platform_planter, unnoted

BODIES = "test_request_bodies.py"
DOOR = "api/test_authentication.py"


_access = platform_planter("web/access.py", "web/test_access.py")
_api_tokens = platform_planter("accounts/api_tokens.py", "accounts/views/test_api_tokens.py", "accounts/test_users.py")
_api_tokens_races = platform_planter("accounts/api_tokens.py", "accounts/test_races.py")
_users_races = platform_planter("accounts/users.py", "accounts/test_races.py")
_snippets_races = platform_planter("accounts/snippets.py", "accounts/test_races.py")
_own_snippets = platform_planter("web/access.py", "accounts/test_snippets.py")
_todays_work = platform_planter("quality/todays_work.py", "quality/test_todays_work.py")
_users = platform_planter("accounts/users.py", "accounts/test_users.py")
_idempotency = platform_planter("api/idempotency.py", f"{DOOR}::test_the_same_write_under_one_key_is_done_once")
_projects = platform_planter("api/projects.py", f"{DOOR}::test_a_token_of_one_project_finds_no_other")
_begun = platform_planter(
    "api/idempotency.py", f"{DOOR}::test_a_write_that_is_still_going_on_is_not_begun_again_unless_it_died"
)
_doors = platform_planter("api/authentication.py", f"{DOOR}::test_a_token_of_one_project_finds_no_other")
_limits = platform_planter("api/rate_limit.py", f"{DOOR}::test_a_token_asks_so_often_a_minute_and_then_is_told_to_wait")
_bodies = platform_planter("request_bodies.py", f"{BODIES}::test_what_lies_on_disk_is_counted_until_it_is_closed")
_pieces = platform_planter(
    "request_bodies.py", f"{BODIES}::test_the_pieces_of_a_body_that_names_no_length_are_added_up"
)
_rules = platform_planter("request_bodies.py", f"{BODIES}::test_only_the_address_that_takes_files_takes_large_bodies")

_people = platform_planter("api/people.py", "api/test_imports_and_people.py")
_secrets = platform_planter("api/idempotency.py", "api/test_imports_and_people.py")

MUTANTS = [
    _people("a token changes an admin", ".exclude(role=User.Role.ADMIN)", ""),
    _people("a token of one project sees all accounts", "if token_of(request).project is not None:", "if False:"),
    _secrets("a password is kept with the answer", " and not is_secret:", ":"),
    _access(
        "retracted rankings listed",
        "filter(comparison__project=project, retracted_at=None)",
        "filter(comparison__project=project)",
    ),
    _access("withdrawn dialogues readable", "return allowed & ~Q(state=Dialogue.State.WITHDRAWN)", "return allowed"),
    _access(
        "engineers list dialogues that nobody has accepted",
        "exported = Q(state=Dialogue.State.ACCEPTED) if reader",
        "exported = ~Q(state=Dialogue.State.DRAFT) if reader",
    ),
    _access(
        "engineers list the rankings of gold items",
        "return rankings.filter(comparison__use=Comparison.Use.WORK)",
        "return rankings",
    ),
    _access("a trainer lists everybody's rankings", "return rankings.filter(trainer=reader)", "return rankings"),
    _access(
        "a suggestion of another dialogue is taken", "id=completion_id, run__dialogue=dialogue)", "id=completion_id)"
    ),
    _access(
        "a message of another dialogue is changed",
        'get_object_or_404(dialogue.messages.select_related("completion"), id=message_id)',
        'get_object_or_404(Message.objects.select_related("completion"), id=message_id)',
    ),
    _access(
        "a prompt of another project is retired",
        "get_object_or_404(Prompt, id=prompt_id, project=project)",
        "get_object_or_404(Prompt, id=prompt_id)",
    ),
    _access(
        "who left a project keeps their place in its queue",
        "get_object_or_404(leases.filter(visible), id=lease_id",
        "get_object_or_404(leases, id=lease_id",
    ),
    _access(
        "who left a project watches its runs",
        '_visible(SamplingRun.objects.select_related("project", "dialogue"), person(request))',
        'SamplingRun.objects.select_related("project", "dialogue")',
    ),
    _access("a webhook is found under another project", "id=webhook_id, project__slug=slug)", "id=webhook_id)"),
    _access(
        "another's practice ranking is opened",
        "id=ranking_id, trainer=person(request), comparison__project=project)",
        "id=ranking_id, comparison__project=project)",
    ),
    _access(
        "a known order of another project is opened",
        "get_object_or_404(Reference.objects.of(project), comparison_id=comparison_id)",
        "get_object_or_404(Reference, comparison_id=comparison_id)",
    ),
    _api_tokens(
        "the token of a closed account opens",
        "token is None or token.is_expired or not token.owner.is_active",
        "token is None or token.is_expired",
    ),
    _api_tokens_races(
        "a token made during a password reset survives it",
        "User.objects.select_for_update(no_key=True).get(id=owner.id)",
        "User.objects.get(id=owner.id)",
    ),
    _api_tokens(
        "a token is revoked twice", "filter(id=token.id, revoked_at=None).update(", "filter(id=token.id).update("
    ),
    _users_races(
        "two admins who demote each other at once leave none",
        "User.objects.select_for_update().filter(admin",
        "User.objects.filter(admin",
    ),
    unnoted(_users, "a change of role leaves no audit event", "change role"),
    _users_races(
        "two starts at once make the first accounts twice",
        "cursor.execute(\"SELECT pg_advisory_xact_lock(hashtext('parley: first accounts'))\")",
        'cursor.execute("SELECT 1")',
    ),
    _users_races(
        "a preference is lost to another tab",
        "User.objects.select_for_update(no_key=True).get(pk=user.pk).preferences | preferences",
        "user.preferences | preferences",
    ),
    _snippets_races(
        "two tabs make one snippet more than a person may",
        "User.objects.select_for_update(no_key=True).get(pk=owner.pk)",
        "User.objects.get(pk=owner.pk)",
    ),
    _own_snippets(
        "anybody changes a snippet", "Snippet.objects.kept_by(owner)", "Snippet.objects.filter(deleted_at=None)"
    ),
    _own_snippets(
        "anybody brings a snippet back",
        "mine = Snippet.objects.filter(owner=owner) if",
        "mine = Snippet.objects.all() if",
    ),
    _todays_work(
        "a day begins at midnight UTC",
        "return timezone.localtime().replace(",
        "return timezone.now().replace(",
    ),
    _idempotency("the address is not compared", "{request.method} {request.get_full_path()}", "{request.method}"),
    _projects(
        "a token of one project promotes any policy",
        "get_object_or_404(_policies(request), id=promotion.policy_id)",
        "get_object_or_404(model_access.policies_for(request), id=promotion.policy_id)",
    ),
    _idempotency("the body is not compared", ".encode() + request.body)", ".encode())"),
    _begun(
        "a request that is under way is begun again",
        "status=None, begun_at__lt=timezone.now() - _ABANDONED_AFTER)",
        "status=None)",
    ),
    _doors(
        "a token of one project opens another",
        "if slug is not None and token.project is not None and",
        "if slug is not None and token.project is None and",
    ),
    _limits("all tokens share one limit", 'f"parley:api:{token.id}:{window:.0f}"', 'f"parley:api:{window:.0f}"'),
    _bodies("bodies on disk are not counted", "        Body.on_disk += num_bytes - self._counted\n", ""),
    _bodies("a closed body still takes its place", "        Body.on_disk -= self._counted\n", ""),
    _pieces("a body in pieces has no limit", "if body.num_bytes + len(piece) > limit", "if len(piece) > limit"),
    _rules("a stranger sends files", "if rule.needs_session and not _has_session_cookie(scope):", "if False:"),
]
