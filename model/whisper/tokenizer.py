"""Whisper's tokenizer: special ids, and token ids as words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from model.checkpoint import BadCheckpoint
from model.words import MIXED, UNSPACED, Pieces, attached, characters, mixed_words, spaced_words

_BYTES, _FIRST_MERGE = 256, ("Ġ", "t")  # tokens that are single bytes; the merge that made the next one


class WhisperTokenizer:
    """Wraps tokenizer.json."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._singles: dict[int, str] = {}
        self.eot = self._id("<|endoftext|>")
        self.sot = self._id("<|startoftranscript|>")
        self.transcribe = self._id("<|transcribe|>")
        self.translate = self._id("<|translate|>")
        self.sot_prev = self._id("<|startofprev|>")
        self.no_speech = self._id("<|nospeech|>", "<|nocaptions|>")
        self.no_timestamps = self._id("<|notimestamps|>")
        self.language_ids = self._languages()
        self.is_multilingual = self.eot >= 50257

    @classmethod
    def load(cls, directory: Path) -> WhisperTokenizer:
        """Read tokenizer.json of a directory. Raises BadCheckpoint."""
        path = directory / "tokenizer.json"
        if not path.exists():
            raise BadCheckpoint(f"{directory} has no tokenizer.json")
        try:
            return cls(Tokenizer.from_str(_with_first_merge(path.read_text(encoding="utf-8"))))
        except BadCheckpoint:
            raise
        except Exception as error:
            raise BadCheckpoint(f"{path} cannot be read: {error}") from error

    def _id(self, *names: str) -> int:
        for name in names:
            found: int | None = self._tokenizer.token_to_id(name)
            if found is not None:
                return found
        raise BadCheckpoint(f"tokenizer.json has no token {' or '.join(names)}; expected Whisper's tokenizer")

    def _languages(self) -> dict[str, int]:
        """Language codes lie between the start token and the task tokens."""
        tokens = ((self._tokenizer.id_to_token(i), i) for i in range(self.sot + 1, min(self.transcribe, self.translate)))
        return {text[2:-2]: i for text, i in tokens if text and text.startswith("<|")}

    def start(self, language: str) -> list[int]:
        """The tokens that begin a transcript; the English-only models know no language or task."""
        if not self.is_multilingual:
            return [self.sot, self.no_timestamps]
        return [self.sot, self.language_ids[language], self.transcribe, self.no_timestamps]

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text; nothing in it counts as a special token."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        return [i for i in encoding.ids if i < self.eot]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of token ids."""
        if len(ids) == 1:
            return self._single(ids[0])
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def _single(self, token: int) -> str:
        """Kept, as words are made of nothing else all the time; bounded by the vocabulary."""
        if token not in self._singles:
            self._singles[token] = self._tokenizer.decode([token], skip_special_tokens=False)
        return self._singles[token]

    def split_words(self, ids: Sequence[int], language: str) -> Pieces:
        """Words with their leading space and the punctuation around them; texts and ids join to the whole.

        The rule of openai/whisper: characters where a language has no spaces, else pieces that begin with a space; then
        opening marks join the word after, closing marks the word before. Latin words among Chinese or Japanese stay whole.
        """
        found = characters(ids, self.decode)
        if language in MIXED:
            return mixed_words(found)
        return attached(found) if language in UNSPACED else spaced_words(found)


def _with_first_merge(document: str) -> str:
    """Some conversions take the first merge for a heading and lose it, and with it every word that begins with " t"."""
    content = json.loads(document)
    model = content.get("model", {})
    merges, ids = model.get("merges", []), model.get("vocab", {})
    first = " ".join(_FIRST_MERGE)
    if merges and ids.get("".join(_FIRST_MERGE)) == _BYTES and merges[0] not in (first, list(_FIRST_MERGE)):
        model["merges"] = [first if isinstance(merges[0], str) else list(_FIRST_MERGE), *merges]
        return json.dumps(content)
    return document
