"""Successive hypotheses → what will not change."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from model.interfaces import Hypothesis, UtteranceId, Word
from streaming.pace import Pace
from streaming.stabiliser import Stabiliser, Transcript
from streaming.timeline import samples

MARGIN = samples(800)
SECOND = 16_000


def words(text: str, start: int = 0, confidence: float = 0.9) -> tuple[Word, ...]:
    """One word a second."""
    return tuple(Word(" " + w, start + i * SECOND, start + (i + 1) * SECOND, confidence) for i, w in enumerate(text.split()))


def heard(said: tuple[Word, ...], audio_end: int | None = None, *, is_cut: bool = False, is_doubted: bool = False) -> Hypothesis:
    end = audio_end if audio_end is not None else (said[-1].end if said else 0)
    return Hypothesis(UtteranceId("s", 0), 0, said, end, False, is_cut=is_cut, is_doubted=is_doubted)


def text(said: tuple[Word, ...]) -> str:
    return "".join(w.text for w in said).strip()


def after(*hypotheses: Hypothesis, given: tuple[Word, ...] = (), pace: Pace = Pace()) -> tuple[str, str]:
    stabiliser = Stabiliser(given, pace)
    for hypothesis in hypotheses:
        stabiliser.update(hypothesis)
    return text(stabiliser.latest.stable), text(stabiliser.latest.unstable)


def test_one_hypothesis_makes_nothing_stable():
    assert after(heard(words("a b c d"))) == ("", "a b c d")


def test_what_two_agree_on_is_stable_except_for_the_end():
    assert after(heard(words("a b c")), heard(words("a b c d"))) == ("a b", "c d")
    assert after(heard(words("a x c d")), heard(words("a b c d"))) == ("a", "b c d")


def test_the_last_word_is_never_stable():
    assert after(heard(words("a b"), 99 * SECOND), heard(words("a b"), 100 * SECOND)) == ("a", "b")


def test_words_near_the_end_of_the_audio_are_not_stable():
    said = words("a b c d")
    assert after(heard(said), heard(said, 2 * SECOND + MARGIN)) == ("a b", "c d")
    assert after(heard(said), heard(said, 2 * SECOND + MARGIN - 1)) == ("a", "b c d")


def test_a_hypothesis_that_contradicts_the_stable_words_gives_only_what_follows_them():
    agreed = (heard(words("a b c d e")), heard(words("a b c d e")))
    assert after(*agreed, heard(words("x y z q e f"))) == ("a b c d", "e f")
    assert after(*agreed, heard(())) == ("a b c d", "")


def test_a_cut_hypothesis_makes_nothing_stable_and_is_not_compared_with():
    loop = heard(words("a b c d e"), is_cut=True)
    assert after(heard(words("x b c d")), loop) == ("", "a b c d e")
    assert after(heard(words("x b c d")), loop, heard(words("a b c d e f"))) == ("", "a b c d e f")


def test_a_doubted_hypothesis_makes_nothing_stable_but_is_compared_with():
    doubted = heard(words("a b c d"), is_doubted=True)
    assert after(heard(words("a b c d")), doubted) == ("", "a b c d")
    assert after(doubted, heard(words("a b c d"))) == ("a b c", "d")
    assert after(heard(words("a b c d")), heard(words("a b c d")), doubted) == ("a b c", "d")


def settled(*hypotheses: Hypothesis, pace: Pace = Pace(more_confidence=0.25)) -> str:
    stabiliser = Stabiliser((), pace)
    for hypothesis in hypotheses:
        stabiliser.update(hypothesis)
    assert stabiliser.settled[: len(stabiliser.window)] == stabiliser.window
    return text(stabiliser.settled)


def test_words_that_lack_some_confidence_are_settled_but_not_stable():
    said = heard(words("a b c d"))
    assert after(said, said, pace=Pace(more_confidence=0.25)) == ("", "a b c d")
    assert settled(said, said) == "a b c"
    assert settled(said, said, pace=Pace(least_confidence=0.95)) == ""
    assert settled(said, heard(words("a x c d"))) == "a"


def test_a_character_must_be_surer_than_a_word():
    for said, confidence, stable in (("a b c d", 0.75, "a b c"), ("天 地 玄 黃", 0.75, ""), ("天 地 玄 黃", 0.77, "天 地 玄")):
        hypothesis = heard(words(said, confidence=confidence))
        assert after(hypothesis, hypothesis)[0] == stable


def test_doubted_words_settle_and_cut_ones_do_not():
    said = heard(words("a b c d"))
    assert settled(said, heard(words("a b c d"), is_doubted=True)) == "a b c"
    assert settled(said, said, heard(words("a b c d"), is_cut=True)) == ""


def test_what_is_settled_stays_so_until_it_is_read_otherwise():
    said, doubtful = heard(words("a b c d")), heard(words("a b c d", confidence=0.5))
    assert settled(said, said, doubtful) == "a b c"
    assert settled(said, said, heard(words("a b x d"))) == "a b"
    assert settled(said, said, heard(words("x b c d"))) == ""


def test_what_is_settled_moves_with_the_window():
    stabiliser, said = Stabiliser((), Pace(more_confidence=0.25)), words("a b c d e")
    for _ in range(2):
        stabiliser.update(heard(said))
    stabiliser.roll(said[:3])
    assert text(stabiliser.settled) == "d" and not stabiliser.window
    stabiliser.keep(said[3:4])
    assert not stabiliser.settled


def test_more_may_have_to_agree():
    pace, said = Pace(agreement=3), heard(words("a b c d"))
    assert after(said, said, pace=pace) == ("", "a b c d")
    assert after(said, said, said, pace=pace) == ("a b c", "d")
    assert after(said, heard(words("a x c d")), said, pace=pace) == ("a", "b c d")
    assert after(heard(words("x b c d")), said, said, said, pace=pace) == ("a b c", "d")


def test_margin_and_confidence_are_a_matter_of_pace():
    said = heard(words("a b c d"), 4 * SECOND)
    assert after(said, said, pace=Pace(margin_ms=2_000)) == ("a b", "c d")
    assert after(said, said, pace=Pace(least_confidence=0.95)) == ("", "a b c d")


def test_a_roll_and_a_new_start_count_for_all_that_must_agree():
    stabiliser = Stabiliser(pace=Pace(agreement=3))
    for _ in range(3):
        stabiliser.update(heard(words("a b c d e")))
    stabiliser.roll(words("a b"))
    stabiliser.update(heard(words("c d e f", 2 * SECOND)))
    assert text(stabiliser.latest.stable) == "a b c d"
    stabiliser.keep(words("c d e f", 2 * SECOND))
    for _ in range(2):
        stabiliser.update(heard(words("g h", 6 * SECOND)))
    assert text(stabiliser.latest.stable) == "a b c d e f"


def test_given_words_are_stable_and_not_told():
    given = words("a b")
    assert after(heard(given + words("c d", 2 * SECOND)), given=given) == ("", "c d")
    assert Stabiliser(given).window == given


def test_a_roll_moves_words_out_of_the_window_and_keeps_them_in_the_transcript():
    stabiliser = Stabiliser()
    for _ in range(2):
        stabiliser.update(heard(words("a b c d e")))
    transcript = stabiliser.roll(words("a b c d"))
    assert (text(transcript.stable), text(transcript.unstable)) == ("a b c d", "e")
    assert stabiliser.window == ()
    assert text(stabiliser.in_window) == "e"
    stabiliser.update(heard(words("e f g h", 4 * SECOND)))
    assert text(stabiliser.latest.words) == "a b c d e f g h"


def test_dropping_the_unstable_leaves_the_stable():
    stabiliser = Stabiliser()
    for _ in range(2):
        stabiliser.update(heard(words("a b c")))
    stabiliser.drop_unstable()
    assert stabiliser.latest == Transcript(words("a b"), ())


@given(
    st.lists(st.tuples(st.lists(st.sampled_from("ab"), max_size=8), st.booleans(), st.booleans()), max_size=20), st.integers(2, 4)
)
def test_stable_words_never_change_whatever_comes(said, agreement):
    stabiliser, before = Stabiliser(pace=Pace(agreement=agreement)), ()
    for letters, is_cut, rolls in said:
        stabiliser.update(heard(words(" ".join(letters)), is_cut=is_cut))
        if rolls:
            stabiliser.roll(stabiliser.in_window[: len(stabiliser.in_window) // 2])
        stable = stabiliser.latest.stable
        assert stable[: len(before)] == before
        before = stable
