"""The arithmetic of the benches: errors, latencies, calibration."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

Timed = Sequence[tuple[float, dict[str, Any]]]  # (seconds since the first sample was sent, message of /v1/stream)

_UNSPACED = ("zh", "yue", "ja")


def tokens(text: str, language: str = "en") -> list[str]:
    """Words, or characters where a language has no spaces; lower case, without punctuation."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"(?<=\w)['’](?=\w)", "", text)
    text = re.sub(r"[^\w\s]", " ", text)
    if language.split("-")[0] in _UNSPACED:
        return re.findall(r"[a-z0-9]+|[^\W_a-z0-9]", text)
    return text.split()


def errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Substitutions, insertions and deletions (Levenshtein)."""
    row = list(range(len(hypothesis) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, found in enumerate(hypothesis, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != found))
    return row[-1]


def word_latencies(messages: Timed) -> list[float]:
    """For each word of the finals: from its end in the audio until it was first shown at its place, in s."""
    latencies = []
    for _, final in messages:
        if final["type"] == "final":
            shown = [(at, m) for at, m in messages if m["type"] in ("partial", "final") and m["utterance"] == final["utterance"]]
            latencies += [_first_shown(i, word, shown) - word["end"] for i, word in enumerate(final["words"])]
    return latencies


def _first_shown(index: int, word: dict[str, Any], shown: Timed) -> float:
    for at, message in shown:
        words = message.get("words") or message.get("stable", []) + message.get("unstable", [])
        if len(words) > index and tokens(words[index]["text"]) == tokens(word["text"]):
            return at
    return shown[-1][0]


def matched(reference: Sequence[str], hypothesis: Sequence[str]) -> set[int]:
    """Indices of the reference that an alignment finds in the hypothesis."""
    blocks = SequenceMatcher(None, reference, hypothesis, autojunk=False).get_matching_blocks()
    return {i for block in blocks for i in range(block.a, block.a + block.size)}


def percentile(values: Sequence[float], p: float) -> float | None:
    """The value below which p percent lie; None of none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(p / 100 * len(ordered)))] if ordered else None


def calibration_error(pairs: Sequence[tuple[float, bool]], bins: int = 10) -> float | None:
    """Expected calibration error of (confidence, is right): mean distance of the two, over equal bins of confidence."""
    if not pairs:
        return None
    total = 0.0
    for index in range(bins):
        inside = [(c, right) for c, right in pairs if min(int(c * bins), bins - 1) == index]
        total += abs(sum(c for c, _ in inside) - sum(right for _, right in inside))
    return total / len(pairs)
