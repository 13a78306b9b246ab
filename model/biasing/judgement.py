"""How likely texts are where they were heard, whatever they were read with: without bias, prompt or noise taken out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model.decoding import Chooser, Row, decode, rescore


def read(choose: Chooser, rows: Mapping[int, Row | None]) -> dict[int, Row]:
    """Those that there are, all together."""
    found = {i: row for i, row in rows.items() if row is not None}
    if found:
        decode(choose, list(found.values()))
    return found


def judged(choose: Chooser, first: Row, rows: Sequence[Row]) -> list[Row]:
    """Each text once."""
    own = dict[tuple[tuple[int, ...], bool], Row]()
    for row in rows:
        own.setdefault((tuple(row.tokens), row.is_cut), row)
    return [_as_heard(choose, first, row) for row in own.values()]


def _as_heard(choose: Chooser, first: Row, row: Row) -> Row:
    """What was read with a prompt or without the noise, as likely as it is without the one and with the other."""
    if row.place is first.place and row.prompt == first.prompt:
        return row
    return replace(with_text(choose, first, row.tokens), is_cut=row.is_cut)


def with_text(choose: Chooser, first: Row, tokens: list[int]) -> Row:
    """The row with this text, as likely as it is."""
    (end,) = list(first.ends)[:1]
    scored = rescore(choose, first, [*tokens, end], 0, margin=first.margin)
    return replace(
        scored,
        tokens=tokens,
        log_probabilities=scored.log_probabilities[:-1],
        end_log_probability=scored.log_probabilities[-1],
        scores=[each[:, : len(first.forced) + len(tokens) + 1] for each in scored.scores],
        attended=scored.attended[:-1],
        near=scored.near[:-1],
    )


def likelihood(row: Row) -> float:
    """Log-probability of the text and its end, in nats."""
    return sum(row.log_probabilities) + row.end_log_probability


def cost(row: Row) -> float:
    """Nats a token, with the end."""
    return -likelihood(row) / (len(row.tokens) + 1)


def reach(row: Row) -> int:
    """The unit of audio that any of its words reaches."""
    return max(row.attended[: len(row.forced) + len(row.tokens)], default=0)
