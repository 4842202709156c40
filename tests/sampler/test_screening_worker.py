"""A real sample worker with the real bundled filter: what is blocked leaves by no way, and a filter that is away opens
or closes as the request says.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from contentfilter.content_filter import BUNDLED, HEADS_FILE
from records import Message, SampleRequest, Screen, ScreenRequest, ScreenResult, decode, encode
from records.manifest import MANIFEST, publish_directory, read_manifest, sha256_of
from records.names import RECORD_SCREENINGS, SCREEN, WEB_QUEUE, cancel_key, stream_key
from records.screening import FilterRule
from sampler.configuration import configuration
from sampler.screening.loading import Filters
from sampler.screening.looking import looks_of
from tests.sampler.conftest import Web, Worker, make_request

pytestmark = pytest.mark.usefixtures("worker")

BUNDLED_SCREEN = Screen(filter="bundled", rules_version=3)
PLAIN = "She took off her clothes and they had hard, loud sex on the kitchen table."
CATEGORIES = ("S", "H", "V", "HR", "SH", "S3", "H2", "V2")
NOTHING_BLOCKED = tuple(FilterRule(category=name, side="answered") for name in CATEGORIES)


def rules(**block_at: float) -> tuple[FilterRule, ...]:
    """Rules for what is answered that block at these bounds, and by no other category."""
    return tuple(FilterRule(category=name, side="answered", block_at=block_at.get(name)) for name in CATEGORIES)


def screened(run_id: str = "run-1", *, screen: Screen = BUNDLED_SCREEN, **changes: object) -> SampleRequest:
    return make_request(run_id, screen=screen, **{"purpose": "chat", **changes})


def streamed(web: Web, request: SampleRequest) -> tuple[list[str], dict[str, str]]:
    """The text of each completion on the request's stream, and its last entry."""
    *texts, last = [fields for _, fields in web.redis.xrange(str(request.stream_key))]
    joined = [""] * request.num_completions
    for entry in texts:
        joined[int(entry["index"])] += entry["text"]
    return joined, last


def test_a_worker_has_its_filter_before_anybody_asks(worker: Worker) -> None:
    assert "content filter is away" not in worker.wait_for_log("the bundled content filter is ready")


def test_what_is_said_and_blocked_is_not_answered(web: Web, worker: Worker) -> None:
    request = screened(content=PLAIN, stream_key=stream_key("run-1", 1))
    web.send(request)
    result = web.result()
    assert (result.is_blocked, result.completions, result.error) == (True, (), None)
    (screening,) = result.screenings
    assert (screening.side, screening.verdict, screening.category, screening.acted) == ("said", "block", "S", True)
    assert (screening.filter, screening.index, screening.end) == ("bundled", None, None)
    assert streamed(web, request) == (["", ""], {"done": "1"})
    assert "kitchen table" not in worker.log.read_text()


@pytest.mark.parametrize("purpose", ["comparison", "evaluation"])
def test_raters_answer_to_what_no_visitor_may_say(web: Web, purpose: str) -> None:
    screen = replace(BUNDLED_SCREEN, rules=NOTHING_BLOCKED)
    web.send(screened(screen=screen, content=PLAIN, purpose=purpose))
    result = web.result()
    assert (result.is_blocked, len(result.completions)) == (False, 2)
    assert [(one.side, one.index) for one in result.screenings] == [("answered", 0), ("answered", 1)]


def test_what_was_said_is_seen_after_two_turns_of_context_too(web: Web) -> None:
    turns = [Message(role="user", content=PLAIN), Message(role="assistant", content="They did.")]
    harmless = Message(role="user", content="And what then?")
    screen = replace(BUNDLED_SCREEN, rules=(FilterRule(category="S", side="said", block_at=0.3),))
    web.send(replace(screened(screen=screen), messages=(*turns, harmless)))
    assert web.result().is_blocked
    rest = [Message(role=role, content="Well, well.") for role in ("user", "assistant")] * 2
    web.send(replace(screened(screen=screen, tokens=2), messages=(*turns, *rest, harmless)))
    assert not web.result().is_blocked


def test_each_draft_is_screened_by_itself_and_a_block_is_in_no_way_out(web: Web) -> None:
    request = screened(tokens=300, num_completions=3, stream_key=stream_key("run-1", 1))
    web.send(replace(request, screen=None))
    plain = [completion.content for completion in web.result().completions]
    content_filter = Filters(configuration()).get(BUNDLED_SCREEN)
    peaks = [
        max(seen.probabilities["V"] for seen in content_filter.look([look.shown for look in looks_of(text)]))
        for text in plain
    ]
    low, *_, high = sorted(peaks)
    screen = replace(BUNDLED_SCREEN, rules=rules(V=(low + high) / 2))
    expected = {index for index, peak in enumerate(peaks) if peak >= (low + high) / 2}
    assert 0 < len(expected) < 3
    for key in (str(request.stream_key), None):
        web.redis.delete(str(request.stream_key))
        web.send(replace(request, screen=screen, stream_key=key))
        result = web.result()
        contents = [completion.content for completion in result.completions]
        blocked = {withheld.index: withheld.content for withheld in result.withheld}
        assert set(blocked) == expected
        assert {i for i, one in enumerate(result.completions) if one.finish_reason == "filtered"} == expected
        assert contents == (streamed(web, request)[0] if key else ["" if i in expected else plain[i] for i in range(3)])
        # A block ends the sampling of a stream, so what was withheld may be the beginning of what would have come.
        assert all(plain[i].startswith(contents[i] + blocked[i]) for i in expected)
        assert [contents[i] for i in range(3) if i not in expected] == [plain[i] for i in range(3) if i not in expected]
        verdicts = {one.index: (one.verdict, one.acted) for one in result.screenings if one.side == "answered"}
        assert {index for index, verdict in verdicts.items() if verdict == ("block", True)} == expected
        assert set(verdicts) == {0, 1, 2}


def test_a_comparison_loses_what_is_blocked_and_resemblances_name_the_others(web: Web) -> None:
    request = screened(purpose="comparison", num_completions=9)
    request = replace(request, sampling=replace(request.sampling, top_k=2, max_new_tokens=1))
    web.send(replace(request, screen=replace(BUNDLED_SCREEN, rules=NOTHING_BLOCKED)))
    result = web.result()
    assert len(result.resemblances) > 1
    assert result.withheld == ()
    web.send(replace(request, screen=replace(BUNDLED_SCREEN, rules=rules(**dict.fromkeys(CATEGORIES, 1e-12)))))
    blocked = web.result()
    kept = {one.index for one in result.screenings} - {one.index for one in blocked.withheld}
    assert {completion.content for completion in blocked.completions if completion.finish_reason == "filtered"} == {""}
    assert {place for one in blocked.resemblances for place in (one.index, one.earlier)} <= kept


def test_a_block_stops_the_sampling(web: Web) -> None:
    everything = replace(BUNDLED_SCREEN, rules=rules(**dict.fromkeys(CATEGORIES, 1e-12)))
    web.send(screened(screen=everything, tokens=4000, num_completions=1, stream_key=stream_key("run-1", 1)))
    result = web.result()
    (completion,), (withheld,) = result.completions, result.withheld
    assert (completion.content, completion.finish_reason) == ("", "filtered")
    web.send(make_request(tokens=4000, num_completions=1))
    assert 0 < len(withheld.content) < len(web.result().completions[0].content) / 4


def test_what_a_person_stopped_is_looked_at_before_it_is_returned(web: Web) -> None:
    screen = replace(BUNDLED_SCREEN, rules=NOTHING_BLOCKED)
    web.send(screened(screen=screen, tokens=4000, num_completions=1, stream_key=stream_key("run-1", 1)))
    deadline = time.monotonic() + 30
    while not web.redis.xlen(stream_key("run-1", 1)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    web.redis.set(cancel_key("run-1"), 1)
    result = web.result()
    assert result.completions[0].finish_reason == "cancelled"
    assert [one.side for one in result.screenings] == ["said", "answered"]


@pytest.fixture(scope="module")
def broken_filters(store: Path) -> Iterator[None]:
    """Filters of the model store: whole, damaged, and made by features of another width."""
    whole = shutil.copytree(BUNDLED, store / "filters" / "whole")
    damaged = shutil.copytree(whole, store / "filters" / "damaged")
    (damaged / HEADS_FILE).write_bytes(b"0" * 100)
    staging = shutil.copytree(whole, store / "filters" / "staging")
    tensors = load_file(staging / HEADS_FILE)
    save_file(tensors | {"vectors.weights": torch.zeros(100, 8)}, staging / HEADS_FILE)
    facts = {name: fact for name, fact in read_manifest(staging).items() if name != "files"}
    publish_directory(staging, store / "filters" / "older", **facts)
    yield
    shutil.rmtree(store / "filters")


AWAY = [
    ({"filter_path": "filters/nowhere"}, "filters/nowhere is not in this worker's model store"),
    ({"filter_path": "filters/damaged"}, "heads.safetensors is damaged"),
    ({"filter_path": "filters/older"}, "made by another version of the features"),
    ({"filter_path": "filters/whole", "filter_sha256": "0" * 64}, "its manifest is not the one on record"),
    ({"filter_path": "../../etc"}, "does not lie in the model store"),
]


@pytest.mark.parametrize(("changes", "reason"), AWAY)
@pytest.mark.usefixtures("broken_filters")
def test_a_filter_that_is_away_closes_for_visitors_and_marks_for_trainers(
    web: Web, changes: dict[str, str], reason: str
) -> None:
    screen = Screen(filter="f", rules_version=0, **changes)
    web.send(screened(screen=screen, content=PLAIN, num_completions=2))
    result = web.result()
    assert (result.error, len(result.completions), result.is_blocked) == (None, 2, False)
    assert [(one.verdict, one.side, one.index) for one in result.screenings] == [
        ("not judged", "said", None), ("not judged", "answered", 0), ("not judged", "answered", 1),
    ]  # fmt: skip
    assert all(reason in str(one.reason) and len(str(one.reason)) <= 200 for one in result.screenings)
    for purpose in ("chat", "comparison"):
        key = stream_key("run-1", 1)
        web.send(screened(screen=replace(screen, needs_filter=True), purpose=purpose, stream_key=key))
        refused = web.result()
        assert refused.completions == ()
        assert "the content filter is away" in str(refused.error)
        assert reason in str(refused.error)
        assert web.redis.xrange(key)[-1][1] == {"error": refused.error}
        web.redis.delete(key)


@pytest.mark.usefixtures("broken_filters")
def test_a_filter_of_the_store_sees_what_the_bundled_one_does(web: Web, store: Path) -> None:
    sha256 = sha256_of(store / "filters" / "whole" / MANIFEST)
    screen = Screen(filter="f", rules_version=0, filter_path="filters/whole", filter_sha256=sha256, needs_filter=True)
    web.send(screened(screen=screen, content=PLAIN))
    result = web.result()
    assert result.is_blocked
    assert (result.screenings[0].filter, result.screenings[0].category) == ("f", "S")


def ask_to_screen(web: Web, request: ScreenRequest) -> ScreenResult:
    web.app.send_task(
        SCREEN,
        kwargs={"request": encode(request)},
        priority=9,
        link=web.app.signature(RECORD_SCREENINGS, queue=WEB_QUEUE),
    )
    (values,), _ = web.receive_task(RECORD_SCREENINGS)
    return decode(ScreenResult, values)


@pytest.mark.usefixtures("broken_filters")
def test_texts_are_screened_after_the_fact(web: Web) -> None:
    answer = f"It was late in the evening. {PLAIN} And then they had tea."
    request = ScreenRequest(
        ids=("a", "b", "c", "d"),
        texts=(PLAIN, "How do I bake bread?", answer, ""),
        sides=("said", "said", "answered", "answered"),
        screen=BUNDLED_SCREEN,
    )
    result = ask_to_screen(web, request)
    assert (result.ids, result.error) == (request.ids, None)
    assert [(one.verdict, one.category, one.side, one.end) for one in result.screenings] == [
        ("block", "S", "said", None),
        ("pass", None, "said", None),
        ("block", "S", "answered", len(f"It was late in the evening. {PLAIN}")),
        ("not judged", None, "answered", 0),
    ]
    away = ask_to_screen(web, replace(request, screen=replace(BUNDLED_SCREEN, filter_path="filters/damaged")))
    assert (away.ids, away.screenings) == (request.ids, ())
    assert "heads.safetensors is damaged" in str(away.error)


def test_without_a_filter_nothing_is_screened(web: Web) -> None:
    web.send(make_request(content=PLAIN, purpose="chat"))
    result = web.result()
    assert (result.screenings, result.withheld, result.is_blocked, len(result.completions)) == ((), (), False, 2)


def test_the_log_holds_nothing_of_what_was_withheld(web: Web, worker: Worker) -> None:
    begins_at = len(worker.log.read_text())
    everything = replace(BUNDLED_SCREEN, rules=rules(**dict.fromkeys(CATEGORIES, 1e-12)))
    web.send(screened("of-a-secret", screen=everything, content="My secret is a green door.", tokens=60))
    result = web.result()
    log = worker.wait_for_log("succeeded in")[begins_at:]
    assert "green door" not in log
    for withheld in result.withheld:
        assert withheld.content[:20] not in log
        assert repr(withheld.content)[1:20] not in log
    assert len(result.withheld) == 2
