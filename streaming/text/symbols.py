"""What programmers dictate, as they would type it: `dash dash help` → --help, `main dot py` → main.py.

Only between words that are code by themselves, or where nothing else could be meant: "two plus two equals four" stays speech.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from streaming.text.edits import Edit
from streaming.text.numerals import NUMBER, figures_of

_WORD = r"[A-Za-z][\w-]*"
_VALUE = rf"(?:{NUMBER}\b(?:[\s-]+{NUMBER}\b)*|[\w./-]*\w)"
_FILES = (
    "py pyi ipynb js mjs ts tsx jsx json jsonl yaml yml toml ini cfg conf env lock md rst txt csv tsv parquet sh bash zsh bat go "
    "rs c h cc cpp hpp cu cuh java kt swift rb php lua sql html css scss xml svg proto onnx pt pth bin gguf safetensors so dll exe "
    "gz zip tar log pem key service com org net io ai dev app"
).split()
_PRONOUNCED = {"jason": "json", "yam": "yaml", "yamel": "yaml", "pie": "py", "shell": "sh", "etsy": "etc", "etcetera": "etc"}
_CODE = r"(?:[A-Z][A-Z0-9]*_[A-Z0-9_]+|--?[A-Za-z][\w-]*|[a-z]\w*_\w+|[A-Za-z]\w*\[\w*\]|[A-Za-z]\w*\(\))"
_Write: TypeAlias = Callable[[re.Match[str]], str]


def _value(said: str) -> str:
    """A number in figures, anything else as it is."""
    return figures_of(said) or {name: str(number) for number, name in enumerate(_DIGITS)}.get(said.lower(), said)


_DIGITS = "zero one two three four five six seven eight nine".split()


def _listed(said: str) -> str:
    return ",".join(_value(each) for each in re.split(r"\s*(?:\bcomma\b|逗号|逗號|,)\s*", said))


def _flag(found: re.Match[str]) -> str:
    return "--" + re.sub(r"\s+dash\s+", "-", found["name"], flags=re.IGNORECASE)


def _dotted(found: re.Match[str]) -> str:
    parts = re.split(r"\s+dot\s+|\s*点\s*|\s*點\s*", found.group(), flags=re.IGNORECASE)
    return ".".join([*parts[:-1], _PRONOUNCED.get(parts[-1].lower(), parts[-1])])


def _path(found: re.Match[str]) -> str:
    head = "~" if found["home"] else ""
    parts = re.split(r"\s*\bslash\b\s*", found["rest"].strip(), flags=re.IGNORECASE)
    return head + "/".join(_PRONOUNCED.get(part.lower(), part) for part in parts)


_EXTENSION = "|".join([*_FILES, *(said for said, meant in _PRONOUNCED.items() if meant in _FILES)])
_HAN_DIGITS = "零一二三四五六七八九"
_AS_DIGITS = str.maketrans(_HAN_DIGITS, "0123456789")
_UNDERSCORE = r"(?:\s+underscore\s+|\s*下划线\s*|\s*下劃線\s*)"
_DASH = r"(?:横杠|橫杠|横线|杠)\s*"
_ITEM = rf"(?:{_VALUE}|[{_HAN_DIGITS}])"
_COMMA = rf"(?:\s+comma\s+|\s*(?:逗号|逗號)\s*|,\s*(?=[\d{_HAN_DIGITS}]))"
_EQUALS = r"\s*(?:\bequals?(?:\s+to)?\b|等于|等於|=)\s*"
_PAREN = r"paren(?:s|theses|thesis)?"


def _rule(pattern: str, write: _Write) -> tuple[re.Pattern[str], _Write]:
    return re.compile(pattern, re.IGNORECASE), write


def _assigned(found: re.Match[str]) -> str:
    return f"{found['name']}={_listed(found['value'].translate(_AS_DIGITS))}"


# identifiers first, then flags, files and paths, then what is assigned to them
_RULES = [
    _rule(rf"\b\w+(?:{_UNDERSCORE}\w+)+", lambda m: re.sub(_UNDERSCORE, "_", m.group(), flags=re.IGNORECASE)),
    _rule(rf"\b(?:dash[\s-]+dash|double[\s-]dash|minus\s+minus)\s+(?P<name>{_WORD}(?:\s+dash\s+{_WORD})*)", _flag),
    _rule(rf"{_DASH}{_DASH}(?P<name>{_WORD})", _flag),
    _rule(r"\bdash\s+(?P<letter>[A-Za-z])\b(?![’'.])", lambda m: "-" + m["letter"]),
    _rule(rf"\b[\w-]+(?:\s+dot\s+[\w-]+)*?(?:\s+dot\s+|\s*[点點]\s*)(?:{_EXTENSION})\b", _dotted),
    _rule(r"(?P<home>\btilde\s+)?(?P<rest>\bslash\s+[\w.~-]+(?:\s+slash\s+[\w.-]+)+|(?<=tilde\s)slash\s+[\w.-]+)", _path),
    _rule(rf"(?P<name>{_CODE}){_EQUALS}(?P<value>{_ITEM}(?:{_COMMA}{_ITEM})*)", _assigned),
    _rule(rf"\b(?P<host>localhost|[\w-]+\.[\w.-]+)\s+colon\s+(?P<port>{_VALUE})", lambda m: f"{m['host']}:{_value(m['port'])}"),
    _rule(rf"\b(?P<name>{_WORD})\s+open\s+{_PAREN}\s+close\s+{_PAREN}\b", lambda m: m["name"] + "()"),
]
_MARKS = r"dash|minus|double|underscore|dot|slash|tilde|equals?|to|comma|colon|open|close|paren|parens"
_HAN_MARKS = "等于|等於|逗号|逗號|下划线|下劃線|[点點杠]"
# the last word, the marks and numbers before it with the words between them, and the word before these
_OPEN = re.compile(
    rf"(?:\S+\s+)?(?:(?:\b(?:{_MARKS}|{NUMBER})\b|{_HAN_MARKS})[\s,]*|(?<=[a-z]\s)\S+\s+(?=(?:{_MARKS})\b))*\S*\s*$",
    re.IGNORECASE,
)


class Symbols:
    """A rule (see edits.py)."""

    withholds = False

    def edits(self, text: str, before: str) -> list[Edit]:
        """One kind of thing after the other, since one may be made of others."""
        now, spans = text, [(at, at + 1) for at in range(len(text))]  # where in `text` each letter of `now` comes from
        for pattern, write in _RULES:
            for found in reversed(list(pattern.finditer(now))):
                start, end = found.span()
                written = write(found)
                origin = (spans[start][0], spans[end - 1][1])
                now, spans = now[:start] + written + now[end:], spans[:start] + [origin] * len(written) + spans[end:]
        return _changes(now, spans, text)

    def settled(self, text: str) -> int:
        """All but the last words, if they may belong to what follows."""
        found = _OPEN.search(text)
        return found.start() if found else len(text)


def _changes(now: str, spans: list[tuple[int, int]], text: str) -> list[Edit]:
    """Letters of one origin belong to one change."""
    edits, at = list[Edit](), 0
    while at < len(now):
        end = at + 1
        while end < len(now) and spans[end] == spans[at]:
            end += 1
        if now[at:end] != text[slice(*spans[at])]:
            edits.append(Edit(*spans[at], now[at:end]))
        at = end
    return edits
