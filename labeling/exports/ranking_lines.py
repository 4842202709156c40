"""Rankings as lines of the records format without building records: PostgreSQL writes the long texts as JSON.

One COPY a chunk, so that the server works while its rows are parsed here. The lines equal, byte for byte, those of
labeling.exports.ranking_records with records.to_line, at about 0.6 of the cost (docs/decisions/0015). A row with
anything unusual falls back to that slower path, which also refuses invalid rows.
"""

import json
from collections.abc import Sequence
from typing import IO, Any

from django.db import connection
from orjson import OPT_SORT_KEYS, dumps, loads

from labeling.exports.filters import Filters
from labeling.exports.ranking_records import adjudications_among, read_rankings
from labeling.exports.splits import split_under_filters
from labeling.exports.statistics import Facts, RankingStatistics, Way, facts_of, way_of
from records import Message, RecordError, SamplingParams, decode
from records.lines import to_line

_ROLES = frozenset(("system", "user", "assistant"))
_OVERALL = frozenset((None, 1, 2, 3, 4, 5, 6, 7))
_PLAIN_MESSAGE = {"role", "content"}


class Odd(Exception):
    """A row with something unusual. Not an error: the slower path decides about it."""


def write_ranking_lines(ids: Sequence[str], filters: Filters, statistics: RankingStatistics, file: IO[bytes]) -> None:
    """Write the lines of these rankings, in this order, and count them; without those that no longer count.

    Raises RecordError that names a row which is not a valid record.
    """
    if adjudications_among(ids):  # few exports have any, and few chunks of those
        for record in read_rankings(ids, filters):
            statistics.add(record)
            file.write(to_line(record).encode())
        return
    lines = _Lines(filters, statistics)
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(_COPY, [list(ids)]).decode(), lines)
    file.write(b"".join(lines.all()))


class _Lines:
    """The file that COPY writes to: receives one row a call and counts the rows in their order."""

    def __init__(self, filters: Filters, statistics: RankingStatistics) -> None:
        self._filters, self._statistics = filters, statistics
        self._done: list[bytes] = []
        self._later: list[tuple[bytes, Facts] | str] = []  # from the first odd row on, of which it is the id
        self._texts: dict[bytes, Any] = {b"": None}
        self._samplings: dict[
            bytes, tuple[bytes, bytes, Way]
        ] = {}  # of each way to sample: around the seed, its fields
        self._prompt: tuple[bytes, bytes, str] = (b"", b"", "")  # as it came, as it goes, its side

    def write(self, row: bytes) -> None:
        columns = row.split(b"\x01")
        try:
            read: tuple[bytes, Facts] | str = self._line(columns)
        except Odd:
            read = columns[0].decode()
        if self._later or isinstance(read, str):
            self._later.append(read)
        else:
            self._keep(*read)

    def all(self) -> list[bytes]:
        """Every line. Unusual rows are read only now, when the connection is free; the rows after them have waited."""
        for read in self._later:
            if isinstance(read, str):
                for record in read_rankings([read], self._filters):
                    self._keep(to_line(record).encode(), facts_of(record))
            else:
                self._keep(*read)
        return self._done

    def _keep(self, line: bytes, facts: Facts) -> None:
        self._done.append(line)
        self._statistics.add_facts(facts)

    def _line(self, columns: list[bytes]) -> tuple[bytes, Facts]:
        (
            identifier, comparison, fragments, ids, lengths, policies, samplings, is_odd, messages, tiers, shown, line,
            abstained, seconds, ranked_at, pseudonym, known_kind, outside, source, topic, version, number,
            is_choice, note, strengths, rated,
        ) = columns  # fmt: skip
        if is_odd == b"t" or not ids:
            raise Odd
        names = ids.decode().split(",")
        order, seen = loads(tiers), loads(shown)
        _require_sense(names, order, seen, abstained, line, seconds)
        if is_choice == b"t" and len(order) != 2:
            raise Odd
        if strengths != b"[]" and not _are_strengths(loads(strengths), order):
            raise Odd
        trainer = pseudonym or outside
        prompt, side = self._side(messages, trainer)
        sizes = list(map(int, lengths.split(b",")))
        if not fragments.isascii():
            sizes = [len(one["content"]) for one in loads(b"[%b]" % fragments.replace(b"\x03", b"0"))]
        ways: list[Way] = []
        if samplings:
            pieces = fragments.split(b"\x03")
            drawn = list(map(self._sampling, samplings.split(b"\x03")))
            written = [*(text for text, _ in drawn), b""]
            ways = [way for _, way in drawn]
            if len(pieces) != len(written):
                raise Odd
            fragments = b"".join([part for both in zip(pieces, written, strict=True) for part in both])
        kind = known_kind.decode() if pseudonym else "imported"
        facts = Facts(
            split=side, topic=self._text(topic), source=self._text(source), trainer=self._text(trainer),
            trainer_kind=kind, guideline_version=int(version) if version else None,
            round=int(number) if number else None, comparison_id=comparison.decode(),
            seconds=float(seconds) if seconds else None, is_abstained=bool(abstained), is_choice=is_choice == b"t",
            is_adjudicated=False, tiers=order, shown_order=seen, ids=names, lengths=sizes,
            policies=loads(b"[%b]" % policies), ways=ways,
        )  # fmt: skip
        said = b"".join(
            (
                b'{"abstained":%b,' % abstained if abstained else b"{",
                b'"choice":true,' if is_choice == b"t" else b"",
                b'"comparison_id":"%b","completions":[' % comparison,
                fragments,
                b"],",
                b'"guideline_version":%b,' % version if version else b"",
                b'"id":"%b","messages":' % identifier,
                prompt,
                b',"note":%b' % note if note else b"",
                b',"ranked_at":"%b+00:00",' % ranked_at.removesuffix(b".000000"),
                b'"ratings":%b,' % _ratings(rated, names) if rated != b"\n" else b"",
                b'"round":%b,' % number if number else b"",
                b'"seconds":%b,' % repr(facts.seconds).encode() if seconds else b"",
                b'"shown_order":%b,' % shown.replace(b", ", b",") if seen else b"",
                b'"source":%b,' % source if source else b"",
                b'"split":"%b",' % side.encode(),
                b'"strengths":%b,' % strengths.replace(b", ", b",") if strengths != b"[]" else b"",
                b'"tiers":%b,' % tiers.replace(b", ", b","),
                b'"topic":%b,' % topic if topic else b"",
                b'"trainer":%b,' % trainer if trainer else b"",
                b'"trainer_kind":"%b"' % kind.encode(),
                b',"unacceptable_from":%b}\n' % line if line else b"}\n",
            )
        )
        return said, facts

    def _text(self, text: bytes) -> Any:
        """The value of a JSON text that recurs from row to row, parsed once."""
        if text not in self._texts:
            self._texts[text] = loads(text)
        return self._texts[text]

    def _side(self, messages: bytes, trainer: bytes) -> tuple[bytes, str]:
        """The prompt as it is written, and its split; cached, since rankings of one comparison follow each other."""
        key = messages if self._filters.split_by == "prompt" else messages + trainer
        if key != self._prompt[0]:
            said = loads(messages)
            prompt = [Message(role=one["role"], content=one["content"]) for one in said if _is_plain(one)]
            if not prompt or len(prompt) < len(said) or prompt[-1].role != "user":
                raise Odd
            side = split_under_filters(prompt, self._filters, trainer=self._text(trainer))
            self._prompt = key, dumps(said, option=OPT_SORT_KEYS), side
        return self._prompt[1:]

    def _sampling(self, text: bytes) -> tuple[bytes, Way]:
        """A completion's sampling as written and as counted. jsonb sorts shorter keys first, the seed comes first."""
        first, _, rest = text.partition(b", ")
        seed = first.removeprefix(b'{"seed": ')
        if not seed.isdigit() or not rest:
            raise Odd
        if rest not in self._samplings:
            self._samplings[rest] = _around_seed(text)
        before, after, way = self._samplings[rest]
        return before + seed + after, way


def _around_seed(text: bytes) -> tuple[bytes, bytes, Way]:
    try:
        params = decode(SamplingParams, {**json.loads(text), "seed": 0}, where="sampling")
    except RecordError as error:
        raise Odd from error
    before, after = to_line(params).rstrip().encode().split(b'"seed":0')
    return before + b'"seed":', after, way_of(params)


def _is_plain(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.keys() == _PLAIN_MESSAGE
        and message["role"] in _ROLES
        and isinstance(message["content"], str)
    )


def _require_sense(
    names: list[str], order: list[list[str]], seen: list[str], abstained: bytes, line: bytes, seconds: bytes
) -> None:
    """Check what records.Ranking requires of these. Raises Odd."""
    present = sorted(names)
    placed = [] if abstained else present
    if (
        len(names) < 2
        or sorted([name for tier in order for name in tier]) != placed
        or not all(order)
        or (seen and sorted(seen) != present)
        or (line and int(line) > len(order))
        or b"N" in seconds
        or b"I" in seconds
    ):
        raise Odd


def _are_strengths(given: list[Any], order: list[list[str]]) -> bool:
    return len(given) == len(order) - 1 and all(type(one) is int and 1 <= one <= 3 for one in given)


def _ratings(text: bytes, names: list[str]) -> bytes:
    """Ratings as they are written. `text` lists [completion, overall, flags, note] of each."""
    ratings = []
    rated = set()
    for completion, overall, flags, note in loads(text):
        if completion not in names or overall not in _OVERALL or not all(type(one) is bool for one in flags.values()):
            raise Odd
        rated.add(completion)
        values = {"completion_id": completion, "overall": overall, "flags": flags, "note": note}
        ratings.append({name: value for name, value in values.items() if value not in (None, {}, "")})
    if len(rated) < len(ratings):
        raise Odd
    return dumps(ratings, option=OPT_SORT_KEYS)


_COPY = r"""
COPY (
    SELECT ranking.id, ranking.comparison_id, said.fragments, said.ids, said.lengths, said.policies, said.samplings,
           said.is_odd, comparison.messages, ranking.tiers, ranking.shown_order, ranking.unacceptable_from,
           to_json(ranking.abstained), nullif(ranking.seconds, 0),
           to_char(ranking.ranked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'),
           to_json(trainer.pseudonym),
           CASE WHEN trainer.role = 'visitor' THEN 'visitor'
                WHEN trainer.is_simulated THEN 'simulated' ELSE 'person' END,
           to_json(nullif(ranking.outside_trainer, '')),
           to_json(coalesce(nullif(ranking.source, ''), nullif(comparison.source, ''))),
           to_json(nullif(comparison.topic, '')), guidelines.version, round.number, ranking.is_choice,
           to_json(nullif(ranking.note, '')), ranking.strengths, rated.ratings
    FROM unnest(%s::uuid[]) wanted (id)  -- not "= ANY": the planner would weigh every id
    JOIN labeling_ranking ranking ON ranking.id = wanted.id
    JOIN labeling_comparison comparison ON comparison.id = ranking.comparison_id
    LEFT JOIN labeling_user trainer ON trainer.id = ranking.trainer_id
    LEFT JOIN labeling_guidelineversion guidelines ON guidelines.id = ranking.guideline_version_id
    LEFT JOIN labeling_round round ON round.id = comparison.round_id
    CROSS JOIN LATERAL (
        SELECT string_agg(one.fragment, ',') AS fragments, string_agg(one.id, ',') AS ids,
               string_agg(one.length, ',') AS lengths, string_agg(coalesce(one.policy, 'null'), ',') AS policies,
               string_agg(one.sampling, E'\x03') AS samplings, bool_or(one.is_odd) AS is_odd
        FROM (
            SELECT completion.id::text AS id, octet_length(completion.content)::text AS length, named.policy,
                   completion.sampling::text AS sampling,
                   abs(completion.logprob) >= 1e15
                   OR completion.finish_reason
                      NOT IN ('', 'stop', 'length', 'cancelled', 'filtered', 'other_stop') AS is_odd,
                   concat(
                       '{"content":', to_json(completion.content),
                       ',"finish_reason":"' || nullif(completion.finish_reason, '') || '"',
                       ',"id":"', completion.id, '"',
                       ',"logprob":' || CASE WHEN completion.logprob::text ~ '[.e]' THEN completion.logprob::text
                                             ELSE completion.logprob::text || '.0' END,
                       ',"num_tokens":' || completion.num_tokens, ',"policy":' || named.policy,
                       CASE WHEN completion.sampling IS NOT NULL THEN E',"sampling":\x03' END, '}'
                   ) AS fragment
            FROM labeling_completion completion
            LEFT JOIN labeling_policy policy ON policy.id = completion.policy_id
            CROSS JOIN LATERAL (
                SELECT to_json(coalesce(policy.name, nullif(completion.outside_policy, '')))::text AS policy
            ) named
            WHERE completion.comparison_id = ranking.comparison_id
            ORDER BY completion.index, completion.id
        ) one
    ) said
    LEFT JOIN LATERAL (
        SELECT json_agg(json_build_array(completion_id, overall, flags, note) ORDER BY completion_id)::text AS ratings
        FROM labeling_rating WHERE ranking_id = ranking.id
    ) rated ON true
    WHERE ranking.retracted_at IS NULL AND comparison.state <> 'withdrawn'
    ORDER BY ranking.comparison_id, ranking.id
) TO STDOUT (FORMAT csv, DELIMITER E'\x01', QUOTE E'\x02', NULL '')
"""
