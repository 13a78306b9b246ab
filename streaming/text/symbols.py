"""What programmers dictate, as they would type it: `dash dash help` → --help, `main dot py` → main.py.

Only between words that are code by themselves, or where nothing else could be meant: "two plus two equals four" stays speech.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from streaming.text.edits import Edit
from streaming.text.numerals import NUMBER, figures_of

_WORD = r"(?!dash\b)[A-Za-z][\w-]*"
_LATIN = r"[A-Za-z0-9_-]"
_COUNT = rf"(?:\b{NUMBER}\b(?:[\s-]+{NUMBER}\b)*|\d+(?:\.\d+)?)"
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
    return "--" + re.sub(rf"\s+dash\s+|\s*{_DASH}", "-", found["name"], flags=re.IGNORECASE)


def _dotted(found: re.Match[str]) -> str:
    first, *extensions = re.split(r"\s+dot\s+|\s*[点點]\s*", found.group(), flags=re.IGNORECASE)
    return ".".join([first, *(_pronounced(each) for each in extensions)])


def _pronounced(said: str) -> str:
    return _PRONOUNCED.get(said.lower(), said)


def _power(found: re.Match[str]) -> str:
    return f"{_value(found['count'])}e-{_value(found['power'])}"


def _joined(said: str) -> str:
    return "/".join(_pronounced(part) for part in re.split(r"\s*(?:\bslash\b|斜[杠槓])\s*", said.strip(), flags=re.IGNORECASE))


def _path(found: re.Match[str]) -> str:
    """Absolute, if it begins as one does or stands where paths stand: "he slash she slash they" is none."""
    path, before = _joined(found["rest"]), found["before"] or ""
    _, root, *others = path.split("/")
    if found["home"]:
        return before + _HOMES[" ".join(found["home"].lower().split())] + path
    is_path = (bool(others) + bool(before) + (root.lower() in _ROOTS)) >= 2
    return before + path if is_path else found.group()


def _address(found: re.Match[str]) -> str:
    """Of somebody: "look at github.com" is none."""
    local = re.sub(r"\s+dot\s+", ".", found["local"], flags=re.IGNORECASE)
    is_name = "." in local and local.rpartition(".")[2].lower() not in _FILES
    is_address = is_name or found["domain"].lower().startswith(_MAIL) or "艾特" in found["at"]
    return f"{local}@{found['domain']}" if is_address else found.group()


_HOMES = {"tilde": "~", "dot": ".", "dot dot": ".."}
_ROOTS = "etc tmp var usr home opt dev proc mnt root bin sbin lib srv sys boot media run api".split()
_MAIL = ("gmail.", "hotmail.", "outlook.", "yahoo.", "icloud.", "proton.", "protonmail.", "qq.", "163.", "126.")
_TOP = "com|org|net|io|ai|dev|app|edu|gov|cn|de|uk|fr|eu"
_COMMANDS = (
    "ls|cd|rm|cp|mv|tar|grep|sed|awk|ps|df|du|ssh|scp|curl|wget|git|docker|kubectl|python3?|pip|npm|chmod|mkdir|sudo|bash|gcc|vim"
)
_BEFORE_PATHS = rf"(?:{_COMMANDS}|in|into|to|from|at|under|open|edit|cat|find|mount|path|directory|folder|file)"
# "to underscore this": the verb
_VERBAL = r"(?:to|i|we|you|they|will|would|can|could|should|must|not|also)\s"
_OBJECT = r"(?:the|this|that|these|those|how|what|why|a|an|our|my|your|his|her|their|its|it)\b"
_EXTENSION = "|".join([*_FILES, *(said for said, meant in _PRONOUNCED.items() if meant in _FILES)])
_HAN_DIGITS = "零一二三四五六七八九"
_AS_DIGITS = str.maketrans(_HAN_DIGITS, "0123456789")
_UNDERSCORE = r"(?:\s+underscore\s+|\s*下划线\s*|\s*下劃線\s*)"
_DASH = r"(?:横杠|橫杠|横线|杠)\s*"
_SAID_DASH = r"dash[\s,-]+"
_ITEM = rf"(?:{_VALUE}|[{_HAN_DIGITS}])"
_COMMA = rf"(?:\s+comma\s+|\s*(?:逗号|逗號)\s*|,\s*(?=[\d{_HAN_DIGITS}]))"
_EQUALS = r"\s*(?:\bequals?(?:\s+to)?\b|等于|等於|=)\s*"
_PAREN = r"paren(?:s|theses|thesis)?"


def _rule(pattern: str, write: _Write) -> tuple[re.Pattern[str], _Write]:
    return re.compile(pattern, re.IGNORECASE | re.ASCII), write  # code is ASCII: no other letter goes on with its words


def _assigned(found: re.Match[str]) -> str:
    return f"{found['name']}={_listed(found['value'].translate(_AS_DIGITS))}"


# identifiers first, then flags, files, addresses and paths, then what is assigned to them
_RULES = [
    _rule(r"\b(?:double|underscore)\s+underscore\s+(\w+)\s+(?:double|underscore)\s+underscore\b", lambda m: f"__{m[1]}__"),
    _rule(
        rf"\b(?!{_VERBAL}|underscore\b)\w+(?:{_UNDERSCORE}(?!{_OBJECT}|underscore\b)\w+)+",
        lambda m: re.sub(_UNDERSCORE, "_", m.group(), flags=re.IGNORECASE),
    ),
    _rule(
        rf"\b(?:{_SAID_DASH}{_SAID_DASH}|double[\s-]{_SAID_DASH}|minus\s+minus\s+)(?P<name>{_WORD}(?:\s+dash\s+{_WORD}(?<!\s\w))*)",
        _flag,
    ),
    _rule(rf"{_DASH}{_DASH}(?P<name>{_WORD}(?:\s*{_DASH}{_WORD})*)", _flag),
    _rule(
        rf"\b(?P<command>{_COMMANDS})\s+dash\s+(?P<letters>[A-Za-z]{{1,5}})\b(?![’'])", lambda m: f"{m['command']} -{m['letters']}"
    ),
    _rule(r"(?<!\b\w\s)\bdash\s+(?P<letter>[B-HJ-Z])\b(?![’'.])", lambda m: "-" + m["letter"]),
    _rule(r"\b(?P<scheme>https?|ssh|ftp|wss?|git|s3)\s+colon\s+slash\s+slash\s+", lambda m: m["scheme"] + "://"),
    _rule(
        rf"(?<!{_LATIN})(?!(?:the|a|an|of|this|that|every|no)\s+dot\b){_LATIN}+(?:\s+dot\s+{_LATIN}+)*?"
        rf"(?:(?:\s+dot\s+|\s*[点點]\s*)(?:{_EXTENSION})\b)+",
        lambda m: re.sub(r"\s+dot\s+", ".", _dotted(m), flags=re.IGNORECASE),
    ),
    _rule(
        rf"(?<![\w.])(?P<local>{_LATIN}+(?:(?:\.|\s+dot\s+){_LATIN}+)*)(?P<at>\s+at\s+|\s*艾特\s*)"
        rf"(?P<domain>{_LATIN}+(?:\.{_LATIN}+)*\.(?:{_TOP}))\b",
        _address,
    ),
    _rule(rf"\b(?P<host>localhost|[\w-]+\.[\w.-]+)\s+colon\s+(?P<port>{_COUNT})", lambda m: f"{m['host']}:{_value(m['port'])}"),
    _rule(
        rf"(?P<host>\b{_LATIN}+(?:\.{_LATIN}+)*\.(?:{_TOP})(?::\d+)?|\blocalhost(?::\d+)?)(?P<rest>(?:\s+slash\s+[\w.~-]+)+)",
        lambda m: m["host"] + _joined(m["rest"]),
    ),
    _rule(
        rf"(?P<before>\b{_BEFORE_PATHS}\s+)?(?P<home>\b(?:tilde|dot\s+dot|dot)\s+)?\b(?P<rest>slash\s+[\w.~-]+(?:\s+slash\s+[\w.-]+)*)",
        _path,
    ),
    _rule(r"斜[杠槓]\s*[A-Za-z0-9_.-]+(?:\s*斜[杠槓]\s*[A-Za-z0-9_.-]+)*", lambda m: _joined(m.group())),
    _rule(rf"(?P<count>{_COUNT}(?:\s+point\s+{_COUNT})?)\s*e\s+(?:minus|negative)\s+(?P<power>{_COUNT})", _power),
    _rule(rf"(?P<name>{_CODE}){_EQUALS}(?P<value>{_ITEM}(?:{_COMMA}{_ITEM})*)", _assigned),
    _rule(rf"\b(?P<name>{_WORD})\s+open\s+{_PAREN}\s+close\s+{_PAREN}\b", lambda m: m["name"] + "()"),
]
_MARKS = frozenset(
    "dash minus double underscore dot slash tilde equals equal to comma colon open close paren parens parenthesis parentheses "
    "at e point negative".split()
)
_HAN_MARKS = "等于|等於|逗号|逗號|下划线|下劃線|斜[杠槓]|艾特|[横橫点點杠线逗下等斜艾]"
_TOKEN = re.compile(rf"(?:{_HAN_MARKS})|[!-~]+|[^\s!-~]")
_MARK = re.compile(rf"{_HAN_MARKS}|[{_HAN_DIGITS}]|[\d,.]+|(?:{NUMBER}[,-]?)+|(?:double-|dash-)?dash-?", re.IGNORECASE)


def _is_mark(token: str) -> bool:
    return token.strip(",").lower() in _MARKS or _MARK.fullmatch(token) is not None


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
        """All but the last word, the marks and numbers before it, and the words before these."""
        tokens = list(_TOKEN.finditer(text))
        marks = [_is_mark(token.group()) for token in tokens]
        if not tokens or not (marks[-1] or tokens[-1].group().isascii()):
            return len(text)
        at = len(tokens) - 1
        while at and (marks[at - 1] or marks[at]):
            at -= 1
        return tokens[at].start()


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
