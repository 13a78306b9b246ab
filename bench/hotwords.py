"""Hotwords to measure with: the terms of the clips, and others that never occur in them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.manifest import Clip
from model.interfaces import Hotword
from server.hotwords import read, ready_made, ready_made_list
from streaming.biasing import MOST_HOTWORDS


def chosen(clips: Sequence[Clip], which: str, distractors: int, *, sounds_like: bool) -> tuple[Hotword, ...]:
    """`which`: 'none', 'terms' of the clips, or a file. Sayings come from the clips and the ready-made lists."""
    if which not in ("none", "terms"):
        own = read(Path(which))
    else:
        terms = sorted({term for clip in clips for term in clip.terms}) if which == "terms" else []
        own = tuple(Hotword(term, 1.0, _sayings(term, clips) if sounds_like else ()) for term in terms)
    return own + tuple(_irrelevant(own, clips, min(distractors, MOST_HOTWORDS - len(own)), sounds_like=sounds_like))


def technical() -> list[Hotword]:
    """Some 1,500 terms: the ready-made lists, then names of modules, classes and functions."""
    import numpy
    import torch

    found = {word.text.lower(): word for name in reversed(ready_made()) for word in ready_made_list(name)}
    names = [n for n in (*sys.stdlib_module_names, *dir(torch.nn), *dir(numpy), *dir(torch)) if not n.startswith("_")]
    for name in names:
        found.setdefault(name.lower(), Hotword(name))
    return list(found.values())


def _sayings(term: str, clips: Sequence[Clip]) -> tuple[str, ...]:
    given = next((clip.sounds_like[term] for clip in clips if term in clip.sounds_like), ())
    listed = (word.sounds_like for name in ready_made() for word in ready_made_list(name) if word.text.lower() == term.lower())
    return tuple(given) or next(listed, ())


def _irrelevant(own: Iterable[Hotword], clips: Sequence[Clip], count: int, *, sounds_like: bool) -> list[Hotword]:
    """Always the same ones for the same clips."""
    said, taken = "\n".join(clip.text.lower() for clip in clips), {word.text.lower() for word in own}
    free = [w for w in technical() if w.text.lower() not in taken and w.text.lower() not in said]
    listed = random.Random(1).sample(free[:350], min(count, 350)) + free[350:]
    return [word if sounds_like else Hotword(word.text, word.weight) for word in listed[:count]]
