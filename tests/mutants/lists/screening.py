"""The content filter at the sample worker: what is shown before it was looked at, what acts, and what closes."""

from tests.mutants.mutant import planter

_door = planter("sampler/screening/door.py", "tests/sampler/test_screening_door.py")
_positions = planter("sampler/screening/positions.py", "tests/sampler/test_screening_door.py")
_rules = planter("sampler/screening/rules.py", "tests/sampler/test_screening_rules.py")
_readable = planter("sampler/screening/readable.py", "tests/sampler/test_screening_readable.py")
_local = planter("sampler/screening/local.py", "tests/sampler/test_screening_readable.py")
_looking = planter("sampler/screening/looking.py", "tests/sampler/test_screening_door.py")
_normalisation = planter("contentfilter/normalisation.py", "tests/sampler/test_screening_readable.py")
_servers = planter("sampler/screening/servers.py", "tests/sampler/test_screening_servers.py")
_answering = planter("sampler/answering.py", "tests/sampler/test_screening_worker.py")
_loading = planter("sampler/screening/loading.py", "tests/sampler/test_screening_worker.py")

MUTANTS = [
    _door(
        "text is shown and then looked at",
        "            held.text += text\n",
        "            held.text += text\n            self._pass(index, len(held.text))\n",
    ),
    _door(
        "what comes after a block is looked at again",
        "            if held.is_blocked:\n                continue\n            held.screening",
        "            held.screening",
    ),
    _door("a block does not end its completion", "return held.is_blocked or self._is_closed", "return self._is_closed"),
    _door(
        "a blocked completion keeps its whole text",
        "replace(completion, content=held.shown, finish_reason",
        "replace(completion, finish_reason",
    ),
    _door("what nobody saw is returned as shown", 'shown: str = ""', 'shown: str = " "'),
    _door(
        "a rule in shadow acts",
        'if screening.acted and screening.verdict == "block":',
        'if screening.verdict == "block":',
    ),
    _door(
        "with a needed filter away midway the rest is returned",
        "        self._look(ends)\n        self._require_open()\n",
        "        self._look(ends)\n",
    ),
    _door(
        "with a needed filter away midway the rest is shown",
        "return [] if self._is_closed else [unjudged",
        "return [unjudged",
    ),
    _door("what stands still is held for ever", "now - held.since >= LONGEST_SECONDS", "False"),
    _door("log-probabilities tell of what is withheld", "num_tokens=None, logprob=None)", "num_tokens=None)"),
    _positions("a place depends on the pieces", r"[.!?…]+[\"'”’)\]*_]*(?=\s)", r"[.!?…]+[\"'”’)\]*_]*(?=\s|$)"),
    _positions("text without blanks is never looked at", "len(text) > start + MOST_CHARACTERS", "False"),
    _rules(
        "a rule of the other side holds", "(rule.category, rule.side) == (category, side)", "rule.category == category"
    ),
    _rules(
        "what is sexual of minors is only warned of",
        "category == ALWAYS_BLOCKED and bounds.block_at is None",
        "False",
    ),
    _rules("what is foreign is never blocked", '    if decision.verdict == "block":\n        return decision\n', ""),
    _rules("what is foreign passes", "    if seen.reason:\n", "    if False:\n"),
    _rules(
        "a rule in shadow hides one that acts",
        "return acts, True, probability - block_at",
        "return True, True, probability - block_at",
    ),
    _readable("base64 passes", "any(_is_encoded(run) for run in _ENCODED.findall(normalised))", "False"),
    _local("only the beginning of an answer is read", "pieces(ending)[-WINDOW:]", "pieces(ending)[:WINDOW]"),
    _local("only the first part of a message counts", "parts = self._parts(plain[:LONGEST])", "parts = [plain[:800]]"),
    _looking("a filter's error is repeated", 'f"it failed ({type(error).__name__})"', 'f"it failed ({error})"'),
    _looking("the last look decides", "one if one is not None and _weight(one) >= _weight(other) else other", "other"),
    _normalisation("letters of other scripts make another word", "return found.translate(_ALIKE)", "return found"),
    _normalisation(
        "controls part a word", 'return _CONTROLS.sub("", _INVISIBLE.sub("", text))', 'return _INVISIBLE.sub("", text)'
    ),
    _servers("a guard is believed by what it writes", 'for one in first["top_logprobs"]', "for one in [first]"),
    _servers("a text can open a turn", '.replace("<", "‹")', ""),
    _servers("a score that is no number passes", "if not 0 <= value <= 1:", "if value > 1:"),
    _servers(
        "a server's words are repeated",
        'answers {response.status_code}")',
        'answers {response.status_code}: {response.text}")',
    ),
    _answering(
        "what raters answer to is blocked",
        "if request.purpose not in URGENT:\n        return content_filter",
        "if False:\n        return content_filter",
    ),
    _answering(
        "what is said is answered though it is blocked",
        'if of_said and of_said[0].acted and of_said[0].verdict == "block":',
        "if False:",
    ),
    _answering("visitors are answered with the filter away", "if screen.needs_filter:", "if False:"),
    _answering(
        "resemblances name another completion",
        "index=kept[one.index], earlier=kept[one.earlier]",
        "index=one.index, earlier=one.earlier",
    ),
    _loading(
        "another filter than the one on record is taken",
        "expected_sha256=sha256 if path else None",
        "expected_sha256=None",
    ),
    _loading("a filter outside of the store is loaded", 'or ".." in parts', ""),
]
