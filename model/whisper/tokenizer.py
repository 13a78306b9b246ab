"""Whisper's tokenizer: special ids, and token ids as words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from model.checkpoint import BadCheckpoint

Pieces = list[tuple[str, list[int]]]

UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
_BEFORE = "\"'“¿([{-「『（《"  # attach to the word that follows
_AFTER = "\"'.。,，!！?？:：”)]}、」』）》;；…%"  # attach to the word that came
_BROKEN = "�"


class WhisperTokenizer:
    """Wraps tokenizer.json."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
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
            return cls(Tokenizer.from_file(str(path)))
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
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def split_words(self, ids: Sequence[int], language: str) -> Pieces:
        """Words with their leading space and the punctuation around them; texts and ids join to the whole.

        The rule of openai/whisper: characters where a language has no spaces, else pieces that begin with a space; then
        opening marks join the word after, closing marks the word before.
        """
        characters = self._characters(ids)
        words = characters if language in UNSPACED else _by_space(characters)
        return _attach(words)

    def _characters(self, ids: Sequence[int]) -> Pieces:
        """The smallest runs of tokens that are whole characters."""
        whole, pieces, run, done = self.decode(ids), [], list[int](), 0
        for token in ids:
            run.append(token)
            text = self.decode(run)
            if _BROKEN not in text or whole[done : done + len(text)] == text:
                pieces.append((text, run))
                done, run = done + len(text), []
        if run:
            pieces.append((self.decode(run), run))
        return pieces


def _by_space(pieces: Pieces) -> Pieces:
    words: Pieces = []
    for text, ids in pieces:
        if not words or text.startswith(" ") or text.strip() in _AFTER + _BEFORE:
            words.append((text, list(ids)))
        else:
            words[-1] = (words[-1][0] + text, words[-1][1] + ids)
    return words


def _attach(words: Pieces) -> Pieces:
    attached: Pieces = []
    opening: tuple[str, list[int]] = ("", [])
    for text, ids in words:
        mark = text.strip()
        if mark and mark in _BEFORE and text.startswith(" "):
            opening = (opening[0] + text, opening[1] + ids)
        elif attached and not opening[1] and text == mark and mark and all(c in _AFTER for c in mark):
            attached[-1] = (attached[-1][0] + text, attached[-1][1] + ids)
        else:
            attached.append((opening[0] + text, opening[1] + ids))
            opening = ("", [])
    return [*attached, opening] if opening[1] else attached
