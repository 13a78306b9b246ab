"""Text that is only added to."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Word
from streaming.text.growing import GrowingText


def words(*texts: str) -> tuple[Word, ...]:
    return tuple(Word(text, 0, 1, 0.9) for text in texts)


def test_utterances_are_joined_as_their_script_has_it():
    text = GrowingText()
    assert text.grow(words(" Hello")) == "Hello"
    assert text.grow(words(" Hello", " there.")) == " there."
    assert text.close(words(" Hello", " there.", " You.")) == " You."
    assert text.close(words("And", " me.")) == " And me."
    assert text.close(()) == ""
    assert text.text == text.told == "Hello there. You. And me."


def test_no_space_between_chinese_sentences():
    text = GrowingText()
    assert [text.close(words(each)) for each in ("你好。", " 再见，GPU", "好。", "좋아")] == ["你好。", "再见，GPU", "好。", "좋아"]
    assert text.close(words(" fine")) == " fine"


def test_words_that_contradict_what_was_told_add_nothing_and_are_the_text():
    text = GrowingText()
    text.grow(words(" one", " two"))
    assert text.grow(words(" one")) == "" and text.close(words(" three")) == ""
    assert (text.told, text.text) == ("one two", "three")


_WORDS = st.lists(st.text("ab 你。", max_size=3), max_size=5).map(lambda texts: words(*texts))


@given(st.lists(st.tuples(_WORDS, st.integers(0, 5)), max_size=5))
def test_what_is_added_makes_the_text(utterances):
    text, told = GrowingText(), ""
    for said, stable in utterances:
        told += text.grow(said[:stable])
        told += text.close(said)
        assert told == text.told == text.text
