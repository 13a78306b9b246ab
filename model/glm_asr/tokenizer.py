"""GLM-ASR's tokenizer and prompt, as the checkpoint's own files have them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from model.checkpoint import BadCheckpoint, read_json
from model.glm_asr.configuration import GlmAsrConfig
from model.words import Pieces, characters, mixed_words

_REQUEST = "Please transcribe this audio into text"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids before and after the audio."""

    header: tuple[int, ...]
    suffix: tuple[int, ...]


class GlmAsrTokenizer:
    """Wraps tokenizer.json; the prompt comes from chat_template.jinja and processor_config.json."""

    def __init__(self, tokenizer: Tokenizer, prompt: Prompt, special: frozenset[int]) -> None:
        self._tokenizer, self.prompt, self.special = tokenizer, prompt, special
        self._singles: dict[int, str] = {}

    @classmethod
    def load(cls, directory: Path, config: GlmAsrConfig) -> GlmAsrTokenizer:
        """Read a checkpoint's files. Raises BadCheckpoint."""
        tokenizer = _tokenizer(directory / "tokenizer.json")
        special = frozenset(i for i, token in tokenizer.get_added_tokens_decoder().items() if token.special)
        return cls(tokenizer, _prompt(directory, tokenizer, config), special)

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

    def encode(self, text: str) -> list[int]:
        """Token ids of plain text."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def split_words(self, ids: Sequence[int]) -> Pieces:
        """Words, Chinese characters each by itself, with the punctuation around them; texts and ids join to the whole."""
        return mixed_words(characters(ids, self.decode))


def _tokenizer(path: Path) -> Tokenizer:
    if not path.exists():
        raise BadCheckpoint(f"{path.parent} has no tokenizer.json")
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise BadCheckpoint(f"{path} cannot be read: {error}") from error


def _prompt(directory: Path, tokenizer: Tokenizer, config: GlmAsrConfig) -> Prompt:
    processor = read_json(directory / "processor_config.json", required=False)
    request = processor.get("default_transcription_prompt", _REQUEST)
    ids = tokenizer.encode(_rendered(directory, request), add_special_tokens=False).ids
    if ids.count(config.audio_token_id) != 1:
        raise BadCheckpoint(
            f"{directory}: the chat template puts the audio token {config.audio_token_id} "
            f"{ids.count(config.audio_token_id)} times into the prompt, expected once"
        )
    at = ids.index(config.audio_token_id)
    return Prompt(tuple(ids[:at]), tuple(ids[at + 1 :]))


def _rendered(directory: Path, request: str) -> str:
    parts = [{"type": "audio"}, {"type": "text", "text": request}]
    source = _template(directory)
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    try:
        return environment.from_string(source).render(messages=[{"role": "user", "content": parts}], add_generation_prompt=True)
    except TemplateError as error:
        raise BadCheckpoint(f"{directory}: the chat template cannot be rendered: {error}") from None


def _template(directory: Path) -> str:
    path = directory / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    for name in ("tokenizer_config.json", "processor_config.json"):
        found = read_json(directory / name, required=False).get("chat_template")
        if isinstance(found, str):
            return found
    raise BadCheckpoint(f"{directory} has no chat_template.jinja; expected the prompt to be read from it")
