"""What a content filter did in a full project, with texts that it withheld; for walks over all addresses."""

from labeling.dialogues import answers
from labeling.models import Completion, Dialogue, Filter, Project, Screening
from tests.labeling.factories import make_chat
from tests.labeling.sampling.sampling_runs import sent_run, waiting_comparison
from tests.labeling.sampling.screened import screened_result


def make_screenings(project: Project, chat: Dialogue) -> Screening:
    """Blocked and warned answers in a chat, among drafts, suggestions and completions to rank; one of them."""
    Filter.objects.create(name="shadowy", state="candidate")
    fields = {"requested_by": chat.author, "messages": [{"role": "user", "content": "Hello?"}]}
    talk = make_chat(project=project, author=chat.author)
    talk.messages.filter(position__gt=0).delete()
    first = talk.messages.get()
    for purpose, num, verdicts in (
        ("chat", 1, [("It began well", "block")]),
        ("chat", 3, [("One.", "warn"), ("Two", "block"), ("Three.", "pass")]),
        ("suggestion", 2, [("A good", "block"), ("Another.", "warn")]),
    ):
        run = sent_run(
            project, purpose=purpose, dialogue=talk, position=1, num_completions=num,
            **{**fields, "messages": [first.plain]},
        )  # fmt: skip
        assert answers.record_completions(screened_result(run, *verdicts))
    comparison = waiting_comparison(project, round=project.current_round)
    run = sent_run(project, purpose="comparison", comparison=comparison, num_completions=3, **fields)
    assert answers.record_completions(screened_result(run, ("One.", "pass"), ("Two", "block"), ("Three.", "warn")))
    assert Completion.objects.filter(finish_reason="filtered").count() == 4
    found = Screening.objects.filter(verdict="block").first()
    assert found is not None
    return found
