"""What is stable stays as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hotword, Word
from streaming.spelling import Speller, Spelling
from streaming.stabiliser import Transcript
from streaming.writing import Writer

SPELLER = Speller([Spelling((Hotword("LayerNorm"), Hotword("KV cache"), Hotword("nginx", 1.0, ("engine X",))))])
WORDS = "the layer norm engine X V K cache and".split()


def said(texts: list[str]) -> tuple[Word, ...]:
    return tuple(Word(f" {text}", i * 100, i * 100 + 90, 0.9) for i, text in enumerate(texts))


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.lists(st.sampled_from(WORDS), max_size=4), st.data())
def test_stable_words_only_grow_and_the_final_starts_with_them(texts, others, data):
    writer, shown = Writer(SPELLER), tuple[Word, ...]()
    for count in sorted(data.draw(st.lists(st.integers(0, len(texts)), max_size=5))):
        words = said([*texts[:count], *others])
        told = writer.write(Transcript(words[:count], words[count:]))
        assert told.stable[: len(shown)] == shown
        shown = told.stable
    final = writer.write_all(said(texts))
    assert final[: len(shown)] == shown
    assert final == Writer(SPELLER).write_all(said(texts))


def test_other_hotwords_count_for_what_is_not_stable_yet():
    writer, words = Writer(SPELLER), said(["layer", "norm", "and", "layer", "norm"])
    assert [w.text for w in writer.write(Transcript(words[:3], words[3:])).stable] == [" LayerNorm", " and"]
    writer.spell(Speller(()))
    assert "".join(w.text for w in writer.write_all(words)) == " LayerNorm and layer norm"
