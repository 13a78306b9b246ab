from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.glm_asr.answer import PHRASES, unwrapped
from model.words import Pieces


def pieces(text: str) -> Pieces:
    """Words, a token for each."""
    words = text.replace(" ", "\0 ").split("\0")
    return [(word, [i]) for i, word in enumerate(words) if word]


def shown(text: str, *, final: bool, before: str = "") -> str:
    return "".join(word for word, _ in unwrapped(pieces(text), before, is_final=final))


@pytest.mark.parametrize("phrase", PHRASES)
@pytest.mark.parametrize(("opening", "closing"), [(' "', '".'), (': "', '"'), (" “", "”"), (" '", "'."), (" ", "")])
def test_the_phrase_and_the_quotes_are_taken_away(phrase: str, opening: str, closing: str):
    assert shown(f"{phrase}{opening}We use LoRA here{closing}", final=True).strip() == "We use LoRA here"


@pytest.mark.parametrize("phrase", PHRASES)
def test_no_part_of_a_phrase_is_ever_shown(phrase: str):
    words = f'{phrase} "We use LoRA here".'.split(" ")
    for count in range(1, len(words) + 1):
        text = " ".join(words[:count])
        assert "We use LoRA here".startswith(shown(text, final=False).strip())


@pytest.mark.parametrize("text", ["The", "The spoken", "the content of the"])
def test_what_only_began_like_one_is_shown_in_the_end(text: str):
    assert shown(text, final=False) == "" and shown(text, final=True) == text


@pytest.mark.parametrize(
    ("text", "final", "expected"),
    [
        ('"Hello there."', True, "Hello there."),
        ('"Hello there', False, "Hello there"),
        ('"Hello" she said', True, '"Hello" she said'),
        ("The speaker said", False, "The speaker said"),
        ("It's fine", True, "It's fine"),
        ("'Cause I say so", False, "'Cause I say so"),
        ("“你好”。", True, "你好"),
        ("", True, ""),
        ("The spoken content of the audio is", True, ""),
    ],
)
def test_other_text(text: str, final: bool, expected: str):
    assert shown(text, final=final) == expected


def test_tokens_of_what_is_taken_away_stay_with_the_first_word():
    found = unwrapped(pieces('The transcription of the audio is "Hello there"'), "", is_final=True)
    assert [(word.strip(), len(tokens)) for word, tokens in found] == [("Hello", 7), ("there", 1)]


def test_after_stable_words_only_the_closing_mark_is_left():
    before = 'The transcription of the audio is "Hello'
    assert shown(' there".', final=True, before=before) == " there"
    assert shown(" there", final=False, before="Hello") == " there"


@given(st.text(alphabet="The spokn\"'.“”", max_size=40), st.booleans())
def test_any_text_is_answered(text: str, final: bool):
    found = unwrapped(pieces(text), "", is_final=final)
    assert "".join(word for word, _ in found) in text
