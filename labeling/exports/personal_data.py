"""Scrubbing of personal data: e-mail addresses, phone and card numbers, IBANs and public IP addresses.

Only what has a checkable form is replaced: card numbers and IBANs with valid check digits, phone numbers that exist in
the country they are written with (+49 …), IP addresses that are reachable from outside. Names of people have no such
form and stay; the card says so. The validators are python-stdnum and phonenumbers.
"""

import dataclasses
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from stdnum import iban, luhn

from records import Completion, Demonstration, LabelledText, Message, Prompt, Ranking, Thumb

# What stands before an @ and after it. Searched from each @ on: one pattern of both would look from every character of
# a long word to its end, which is quadratic. RFC 5321 §4.5.3.1 allows 64 characters before it.
_BEFORE_AT = re.compile(r"[\w.+%-]{1,64}\Z")
_AFTER_AT = re.compile(r"(?:[\w-]+\.)+[\w-]{2,}")
_MOST_BEFORE_AT = 64
_IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}\b")
_CARD = re.compile(r"\b[3-6]\d{3}(?:[ -]?\d){9,15}\b")
_IP = re.compile(r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{1,4})(?![\w:]|\.\d)")
_ALLOCATED_IPV6 = ipaddress.ip_network(
    "2000::/3"
)  # all that providers are assigned of IPv6; without it 3:2::1, a ratio, would count
_MAY_MATCH = re.compile(
    r"[@+]|\d.*\d|::", re.DOTALL
)  # a quick test: a text without one of these matches none of the patterns


def scrub_text(text: str, found: Counter[str]) -> str:
    """The text with a placeholder for each piece of personal data; `found` counts them by kind."""
    if not _MAY_MATCH.search(text):
        return text
    text = _replace_spans(text, _email_addresses(text), "e-mail address", found)
    text = _replace_matches(text, _IBAN.finditer(text), _iban_end, "IBAN", found)
    text = _replace_matches(text, _CARD.finditer(text), _card_end, "card number", found)
    if "+" in text:
        text = _replace_spans(text, _phone_numbers(text), "phone number", found)
    return _replace_matches(text, _IP.finditer(text), _ip_end, "IP address", found)


def scrub(record: Any, found: Counter[str]) -> Any:
    """A record of any kind with its texts scrubbed.

    A completion whose text changed loses its number of tokens and its logprob: they belong to the original text.
    """
    if isinstance(record, LabelledText):
        return dataclasses.replace(record, text=scrub_text(record.text, found))
    messages = tuple(_message(message, found) for message in record.messages)
    changed: Prompt | Demonstration | Ranking | Thumb = dataclasses.replace(record, messages=messages)
    if isinstance(changed, Thumb):
        reason = changed.reason and scrub_text(changed.reason, found)
        return dataclasses.replace(changed, completion=_completion(changed.completion, found), reason=reason)
    if not isinstance(changed, Ranking):
        return changed
    ratings = tuple(
        dataclasses.replace(rating, note=rating.note and scrub_text(rating.note, found)) for rating in changed.ratings
    )
    completions = tuple(_completion(completion, found) for completion in changed.completions)
    note = changed.note and scrub_text(changed.note, found)
    return dataclasses.replace(changed, completions=completions, ratings=ratings, note=note)


def _message(message: Message, found: Counter[str]) -> Message:
    content = scrub_text(message.content, found)
    reasoning = message.reasoning and scrub_text(message.reasoning, found)
    if (content, reasoning) == (message.content, message.reasoning):
        return message
    return dataclasses.replace(message, content=content, reasoning=reasoning)


def _completion(completion: Completion, found: Counter[str]) -> Completion:
    content = scrub_text(completion.content, found)
    if content == completion.content:
        return completion
    return dataclasses.replace(completion, content=content, num_tokens=None, logprob=None)


def _email_addresses(text: str) -> Iterator[tuple[int, int]]:
    done = at = 0
    while (at := text.find("@", at)) >= 0:
        low = max(done, at - _MOST_BEFORE_AT)
        before, after = _BEFORE_AT.search(text[low:at]), _AFTER_AT.match(text, at + 1)
        at += 1
        if before and after:
            done = at = after.end()
            yield low + before.start(), done


def _phone_numbers(text: str) -> Iterator[tuple[int, int]]:
    import phonenumbers  # loads the numbering plans of all countries; only scrubbing needs them

    for number in phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.VALID):
        yield number.start, number.end


def _replace_matches(
    text: str,
    matches: Iterable["re.Match[str]"],
    end_of: Callable[["re.Match[str]"], int | None],
    kind: str,
    found: Counter[str],
) -> str:
    spans = ((match.start(), end) for match in matches if (end := end_of(match)) is not None)
    return _replace_spans(text, spans, kind, found)


def _replace_spans(text: str, spans: Iterable[tuple[int, int]], kind: str, found: Counter[str]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end in spans:
        pieces += (text[done:start], f"[{kind}]")
        done = end
        found[kind] += 1
    return "".join([*pieces, text[done:]]) if pieces else text


def _iban_end(match: "re.Match[str]") -> int | None:
    """Where the IBAN ends: the match may include capital letters that follow it."""
    whole = match.group()
    ends = (end for end in range(len(whole), 14, -1) if whole[end - 1] != " ")
    return next((match.start() + end for end in ends if iban.is_valid(whole[:end])), None)


def _card_end(match: "re.Match[str]") -> int | None:
    return match.end() if luhn.is_valid(re.sub(r"\D", "", match.group())) else None


def _ip_end(match: "re.Match[str]") -> int | None:
    """Where a public address ends. Private and reserved addresses stay: they identify nobody."""
    try:
        address = ipaddress.ip_address(match.group())
    except ValueError:
        return None
    is_allocated = address.version == 4 or address in _ALLOCATED_IPV6
    return match.end() if is_allocated and address.is_global else None
