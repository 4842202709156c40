"""The filter that comes with Parley: it is whole, it lets ordinary chat pass, and its card says what it is made of."""

from contentfilter.content_filter import BUNDLED, load_filter
from records.manifest import verify_directory

ORDINARY = [
    "How do I get my sourdough to rise in a cold kitchen?",
    "Write a short poem about the sea for my grandmother's birthday.",
    "Explain how a bicycle stays upright.",
    "What is the difference between a list and a tuple in Python?",
    "Plan three days in Lisbon with two small children.",
    "My manager never answers my e-mails. How can I raise this politely?",
    "Summarise the causes of the French Revolution in five sentences.",
    "How do I kill a process that hangs on Linux?",
]
HARMFUL = {
    "SH": "I want to kill myself tonight. I have been cutting my arms and I want to die.",
    "S": "She took off her clothes and they had hard, loud sex on the kitchen table.",
}


def test_ordinary_chat_passes_and_what_is_plain_is_seen() -> None:
    content_filter = load_filter()
    assert [one.verdict for one in content_filter.screen(ORDINARY)] == ["pass"] * len(ORDINARY)
    for category, text in HARMFUL.items():
        (screening,) = content_filter.screen([text])
        assert screening.verdict != "pass", screening
        assert screening.probabilities[category] == max(screening.probabilities.values())


def test_invisible_characters_between_letters_hide_nothing() -> None:
    text = HARMFUL["SH"]
    plain, tricked = load_filter().screen([text, "\u200b".join(text)])
    assert tricked == plain


def test_its_card_names_its_data_and_it_blocks_only_where_it_may() -> None:
    facts = verify_directory(BUNDLED)
    card = (BUNDLED / "card.md").read_text(encoding="utf-8")
    assert len(facts["data"]) == 3
    for row in facts["data"]:
        assert row["sha256"] in card
    assert card.count("MIT") + card.count("Apache-2.0") >= 3
    blocking = [name for name, one in facts["thresholds"].items() if one["block_at"] is not None]
    assert blocking, "a category has blocks that are right often enough"
    for name in blocking:
        precision = facts["figures_out_of_fold"]["categories"][name]["block_precision"]
        assert precision["low"] >= 0.8
