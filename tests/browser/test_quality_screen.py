"""The quality page: figures that are narrowed, followed to their boards, and read by an engineer."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from django.utils import timezone
from playwright.sync_api import Page, expect

from labeling.models import Ranking, User
from labeling.quality.judging import FEWEST, measure
from tests.browser.screenshots import look_at
from tests.judging.planted import planted_abilities, planted_orders
from tests.labeling.factories import make_comparisons, make_project, make_user

Keep = Callable[[Page, str], Path]


def test_an_engineer_follows_a_fall_of_agreement_to_its_boards(
    open_page: Callable[..., Page], keep_screenshot: Keep
) -> None:
    project = make_project(slug="bread", rankings_wanted=2)
    trainers = [make_user(username=name, projects=[project]) for name in ("alice", "bob")]
    for index, comparison in enumerate(make_comparisons(project=project, num=40, num_completions=4)):
        ids = [str(one.id) for one in comparison.completions.order_by("index")]
        turned = index >= 25 and index % 5
        for trainer in trainers:
            order = ids[::-1] if turned and trainer is trainers[1] else ids
            tiers = [[one] for one in order]
            ranking = Ranking.objects.create(
                comparison=comparison, trainer=trainer, submission_key=uuid.uuid4(), tiers=tiers, shown_order=ids
            )
            Ranking.objects.filter(pk=ranking.pk).update(ranked_at=timezone.now() - timedelta(days=40 - index))
    erin = make_user(username="erin", role=User.Role.ENGINEER, projects=[project])
    page = open_page("/p/bread/quality/", user=erin)
    expect(page.get_by_text("Agreement changed about")).to_be_visible()
    look_at(page, "quality", keep_screenshot, at="text=Agreement changed about")
    page.locator("#id_trainer").select_option(label=trainers[0].pseudonym)
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("40 rankings")).to_be_visible()
    page.locator(".figure", has_text="Trainers agree on a pair").get_by_role("link", name="the boards").click()
    expect(page.get_by_text("0 of 6 pairs alike").first).to_be_visible()
    page.get_by_text("The completions").first.click()
    look_at(page, "boards-behind", keep_screenshot)
    page.get_by_role("link", name="Next page").click()
    expect(page.get_by_text("6 of 6 pairs alike").first).to_be_visible()
    expect(page.locator("#id_trainer")).to_have_value(trainers[0].pseudonym)


def test_a_reviewer_reads_how_well_people_judge(open_page: Callable[..., Page], keep_screenshot: Keep) -> None:
    project = make_project(slug="judged", rankings_wanted=3)
    trainers = {name: make_user(username=name, projects=[project]) for name in planted_abilities(3)}
    orders = planted_orders(planted_abilities(3), seed=1, each=FEWEST, num_completions=3, at_once=3)
    comparisons = make_comparisons(project=project, num=FEWEST, num_completions=3)
    for order in orders:
        comparison = comparisons[int(order.comparison)]
        ids = [str(one.id) for one in comparison.completions.order_by("index")]
        tiers = [
            [ids[int(name)] for name, own in order.places.items() if own == tier]
            for tier in sorted(set(order.places.values()))
        ]
        Ranking.objects.create(
            comparison=comparison,
            trainer=trainers[order.trainer],
            submission_key=uuid.uuid4(),
            tiers=tiers,
            shown_order=ids,
        )
    project.comparisons.update(num_rankings=3)
    measure(project)
    rita = make_user(username="rita", role=User.Role.REVIEWER, projects=[project])
    page = open_page("/p/judged/quality/", user=rita)
    expect(page.get_by_role("heading", name="How well people judge")).to_be_visible()
    expect(page.get_by_text(f"n = {FEWEST}").first).to_be_visible()
    look_at(page, "judging", keep_screenshot, at="#judging")
