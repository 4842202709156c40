"""Reports, triage and thumbs in chats: whose they are, how many, in which order, and what may be made of them."""

from tests.mutants.mutant import Mutant

_TESTS = "tests/labeling/safety/"


def _in(module: str, fault: str, before: str, after: str, test: str) -> Mutant:
    return Mutant(f"labeling/safety/{module}.py", fault, ((before, after),), (f"{_TESTS}test_{test}.py",))


MUTANTS = [
    _in("reports", "a day has one report more", ".count() >= MOST_A_DAY", ".count() > MOST_A_DAY", "reports"),
    _in(
        "reports",
        "two reports at once are two",
        "        User.objects.select_for_update(no_key=True).get(pk=by.pk)\n        lock_cases(project.pk)\n",
        "",
        "reports",
    ),
    _in(
        "reports",
        "everybody reads all reports",
        "return rows if by.can_review else rows.filter(reporter=by)",
        "return rows",
        "triage",
    ),
    _in("reports", "a decided report is changed", "if row.state != Report.State.OPEN:", "if False:", "reports"),
    _in(
        "cases",
        "to report one text often is to be right often",
        'num=Count("case", distinct=True)',
        'num=Count("id")',
        "triage",
    ),
    _in(
        "cases",
        "reports of another project are joined",
        "project=report.project_id, text_sha256",
        "text_sha256",
        "reports",
    ),
    _in(
        "triage",
        "reporters decide on their own reports",
        "if not by.is_admin and by.pk in reporters_of(case):",
        "if False:",
        "triage",
    ),
    _in(
        "triage",
        "two reviewers decide",
        "        if case.state != State.OPEN:\n            raise",
        "        if False:\n            raise",
        "triage",
    ),
    _in(
        "triage",
        "texts are read unnoticed",
        '        AuditEvent.note("reveal reported text", case, by=by, withheld=bool(withheld))\n',
        "",
        "triage",
    ),
    _in(
        "views/triage",
        "a case of another project is opened",
        'Case.objects.select_related("decided_by"), id=case_id, project=project',
        'Case.objects.select_related("decided_by"), id=case_id',
        "triage",
    ),
    _in("follow_ups", "prompts are made without consent", "if one.may_train), None)", "if one), None)", "follow_ups"),
    _in(
        "thumbs",
        "an export that says otherwise is not marked",
        "if not changes or not exports",
        "if True or not exports",
        "thumbs",
    ),
    _in(
        "erasure",
        "what rankings stand on is blanked",
        "        erased.kept.append(prompt.id)\n        return\n",
        "        pass\n",
        "erasure",
    ),
]
