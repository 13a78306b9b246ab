"""The arithmetic of the benches: errors, latencies, calibration."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Any

from opencc import OpenCC
from rapidfuzz.distance import Levenshtein

Timed = Sequence[tuple[float, dict[str, Any]]]  # (seconds since the first sample was sent, message of /v1/stream)

_UNSPACED = ("zh", "yue", "ja")


def tokens(text: str, language: str = "en") -> list[str]:
    """Words, or characters (Chinese ones simplified) where a language has no spaces; lower case, without punctuation."""
    text = unicodedata.normalize("NFKC", text).lower()
    text = re.sub(r"(?<=\w)['’](?=\w)", "", text)
    text = re.sub(r"[^\w\s]", " ", text)
    if language.split("-")[0] in _UNSPACED:
        text = text if language.startswith("ja") else _simplified().convert(text)
        return re.findall(r"[a-z0-9]+|[^\W_a-z0-9]", text)
    return text.split()


@cache
def _simplified() -> OpenCC:
    return OpenCC("t2s")


def errors(reference: Sequence[str], hypothesis: Sequence[str]) -> int:
    """Substitutions, insertions and deletions (Levenshtein)."""
    return Levenshtein.distance(reference, hypothesis)


def errors_outside(terms: Sequence[Sequence[str]], reference: Sequence[str], hypothesis: Sequence[str]) -> tuple[int, int]:
    """(errors, words) of the reference outside the terms; what stands in the place of a term counts for nothing."""
    inside = {
        i + k for t in terms for i in range(len(reference)) if list(reference[i : i + len(t)]) == list(t) for k in range(len(t))
    }
    wrong = 0
    for kind, i, end, j, until in Levenshtein.opcodes(reference, hypothesis):
        if kind == "insert":
            wrong += (until - j) * (i not in inside and i - 1 not in inside)
        elif kind != "equal":
            wrong += sum(k not in inside for k in range(i, end))
    return wrong, len(reference) - len(inside)


def found_terms(terms: Sequence[str], text: str) -> list[str]:
    """Those that stand in the text exactly as written, as whole words."""
    return [t for t in terms if re.search(rf"(?<![A-Za-z0-9]){re.escape(t)}(?![A-Za-z0-9])", text)]


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


def reliability(pairs: Sequence[tuple[float, bool]], bins: int = 10) -> list[tuple[float, float, int]]:
    """Of (confidence, is right), over equal bins of confidence: mean confidence, share of right ones, how many."""
    inside = [[pair for pair in pairs if min(int(pair[0] * bins), bins - 1) == index] for index in range(bins)]
    return [(sum(c for c, _ in each) / len(each), sum(r for _, r in each) / len(each), len(each)) for each in inside if each]


def calibration_error(pairs: Sequence[tuple[float, bool]]) -> float | None:
    """Expected calibration error: mean distance of confidence and share of right ones over the bins, weighted by their size."""
    return sum(abs(c - r) * n for c, r, n in reliability(pairs)) / len(pairs) if pairs else None
