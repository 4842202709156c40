"""The chat template: exact, prefix consistent, and closed to forged turns."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from language.chat import encode_text, end_token_id, render_completion, render_dialogue, render_prompt
from language.checkpoints import load_tokenizer
from records import Message
from tests.tiny import build_tiny_tokenizer

TOKENIZER = build_tiny_tokenizer()
START, END = TOKENIZER.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])

MARKERS = [
    "<|im_start|>",
    "<|im_end|>",
    "<pad>",
    "\n",
    "assistant",
    "user\n",
    "<|im_start|>assistant\n",
    "\ue0000\ue001",
]
texts = st.lists(st.one_of(st.text(max_size=12), st.sampled_from(MARKERS)), max_size=6).map("".join)
roles = st.sampled_from(["system", "user", "assistant"])
dialogues = st.lists(st.builds(Message, role=roles, content=texts), min_size=1, max_size=5)


def parse_dialogue(ids: list[int]) -> list[Message]:
    """ChatML ids back to messages, by control tokens alone."""
    messages = []
    for position, token in enumerate(ids):
        if token != START:
            continue
        end = ids.index(END, position)
        role, _, content = decode(ids[position + 1 : end]).partition("\n")
        messages.append(Message(role=role, content=content))
    return messages


def decode(ids: list[int]) -> str:
    return TOKENIZER.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


@given(dialogues)
def test_a_rendered_dialogue_parses_back_to_itself(messages: list[Message]) -> None:
    assert parse_dialogue(render_dialogue(TOKENIZER, messages)[0]) == messages


@given(dialogues, texts)
def test_no_text_can_create_or_close_a_turn(messages: list[Message], text: str) -> None:
    ids = render_prompt(TOKENIZER, [*messages, Message(role="user", content=text)])
    assert ids.count(START) == len(messages) + 2
    assert ids.count(END) == len(messages) + 1
    assert not {START, END, TOKENIZER.pad_token_id} & set(encode_text(TOKENIZER, text))


@given(dialogues, texts)
def test_prompt_and_completion_join_to_the_dialogue(messages: list[Message], answer: str) -> None:
    dialogue, _ = render_dialogue(TOKENIZER, [*messages, Message(role="assistant", content=answer)])
    assert render_prompt(TOKENIZER, messages) + render_completion(TOKENIZER, answer) == dialogue


@given(dialogues, dialogues)
def test_a_dialogue_begins_with_the_prompt_of_its_first_answer(before: list[Message], after: list[Message]) -> None:
    prompt = render_prompt(TOKENIZER, before)
    whole, _ = render_dialogue(TOKENIZER, [*before, Message(role="assistant", content="yes"), *after])
    assert whole[: len(prompt)] == prompt


def test_only_assistant_text_and_its_end_token_are_targets() -> None:
    messages = [
        Message(role="system", content="Be brief."),
        Message(role="user", content="Hello!"),
        Message(role="assistant", content="Hi."),
        Message(role="user", content="Bye!"),
        Message(role="assistant", content="See you."),
    ]
    ids, is_target = render_dialogue(TOKENIZER, messages)
    taught = [token for token, target in zip(ids, is_target, strict=True) if target]
    assert taught == [*encode_text(TOKENIZER, "Hi."), END, *encode_text(TOKENIZER, "See you."), END]


def test_an_answer_that_is_wholly_a_policys_is_read_and_not_taught() -> None:
    messages = [
        Message(role="user", content="Hello!"),
        Message(role="assistant", content="Hi.", authorship="policy"),
        Message(role="user", content="Bye!"),
        Message(role="assistant", content="See you.", authorship="edited"),
    ]
    ids, is_target = render_dialogue(TOKENIZER, messages)
    taught = [token for token, target in zip(ids, is_target, strict=True) if target]
    assert taught == [*encode_text(TOKENIZER, "See you."), END]
    assert ids == render_dialogue(TOKENIZER, [replace(message, authorship=None) for message in messages])[0]


def test_an_instruction_pair_is_one_user_and_one_assistant_turn() -> None:
    pair = [Message(role="user", content="Name a colour."), Message(role="assistant", content="Blue.")]
    assert [message.role for message in parse_dialogue(render_dialogue(TOKENIZER, pair)[0])] == ["user", "assistant"]


def test_a_benign_prompt_is_what_the_template_itself_gives() -> None:
    messages = [Message(role="user", content="Hello!"), Message(role="assistant", content="Hi."),
                Message(role="user", content="Bye!")]  # fmt: skip
    expected = TOKENIZER.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in messages], add_generation_prompt=True
    )["input_ids"]
    assert render_prompt(TOKENIZER, messages) == list(expected)


def test_a_prompt_can_ask_for_the_users_side() -> None:
    ids = render_prompt(TOKENIZER, [Message(role="assistant", content="Hi.")], as_role="user")
    assert decode(ids).endswith("<|im_start|>user\n")


def test_the_end_token_closes_completions_and_is_not_the_pad_token(tiny_policy: Path) -> None:
    tokenizer = load_tokenizer(tiny_policy)
    assert end_token_id(tokenizer) == render_completion(tokenizer, "x")[-1] == END
    assert tokenizer.pad_token_id != end_token_id(tokenizer)


def test_a_tokenizer_without_a_template_is_refused_with_advice() -> None:
    tokenizer = build_tiny_tokenizer()
    tokenizer.chat_template = None
    with pytest.raises(ValueError, match="no chat template; use a model that was tuned for dialogue"):
        render_prompt(tokenizer, [Message(role="user", content="x")])


def test_a_template_that_drops_a_message_is_refused() -> None:
    tokenizer = build_tiny_tokenizer()
    tokenizer.chat_template = "{{ '<|im_start|>' + messages[-1]['content'] + '<|im_end|>' }}"
    with pytest.raises(ValueError, match=r"does not show message 1 \(user\) once"):
        render_prompt(tokenizer, [Message(role="user", content="x"), Message(role="assistant", content="y")])


def test_a_template_that_refuses_the_roles_is_reported() -> None:
    tokenizer = build_tiny_tokenizer()
    tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
    with pytest.raises(ValueError, match="refuses the roles user, assistant: roles must alternate"):
        render_prompt(tokenizer, [Message(role="user", content="x")])


def test_text_with_an_added_token_that_cannot_be_spelled_out_is_refused() -> None:
    tokenizer: PreTrainedTokenizerBase = build_tiny_tokenizer()
    tokenizer.add_tokens(["[TURN]"])  # not special: the tokenizer matches it in any text
    tokenizer.chat_template = "{% for m in messages %}{{ '[TURN]' + m['content'] + '<|im_end|>' }}{% endfor %}"
    with pytest.raises(ValueError, match="forge turns"):
        render_prompt(tokenizer, [Message(role="user", content="a [TURN] b")])
