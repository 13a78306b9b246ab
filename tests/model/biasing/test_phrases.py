"""Hotwords on real sound, through both engines of Whisper with real weights."""

from __future__ import annotations

import pytest

from model.biasing.likely import letters
from model.biasing.phrases import Kept, PhraseOptions, Phrases, places_of
from model.interfaces import DecodeContext, Hotword, Hypothesis, Recogniser, Samples, StepRequest, UtteranceId

PLAIN = "The quick brown fox jumps over the lazy dog."
IRRELEVANT = tuple(
    Hotword(text) for text in "Kubernetes LoRA nginx Redis TensorRT PostgreSQL Foxtrot LazyLoad dogfood OverlayFS".split()
)


def heard(engine: Recogniser, sound: Samples, *hotwords: Hotword, hop: int = 0) -> list[Hypothesis]:
    """In one request, or in steps of so many samples."""
    name, context = UtteranceId(f"{hotwords} {hop}", 0), DecodeContext("en", hotwords=(hotwords,) if hotwords else ())
    starts = range(0, len(sound), hop or len(sound))
    found = list[Hypothesis]()
    for number, start in enumerate(starts):
        last, piece = number == len(starts) - 1, sound[start : start + (hop or len(sound))]
        (answer,) = engine.step([StepRequest(name, number, start, piece, last, last, 0.0, context)])
        assert isinstance(answer, Hypothesis)
        found.append(answer)
    return found


def text(hypothesis: Hypothesis) -> str:
    return "".join(word.text for word in hypothesis.words).strip()


def test_without_hotwords_nothing_is_different(engine: Recogniser, fox: Samples):
    assert text(heard(engine, fox)[-1]) == PLAIN


def test_what_was_heard_clearly_stays(engine: Recogniser, fox: Samples):
    assert text(heard(engine, fox, *IRRELEVANT)[-1]) == PLAIN
    assert text(heard(engine, fox, Hotword("Foxx"))[-1]) == PLAIN
    assert text(heard(engine, fox, Hotword("Foxx", 0.0))[-1]) == PLAIN


@pytest.mark.parametrize("hop", [0, 8_000])
def test_a_weight_says_how_much_may_be_conceded(engine: Recogniser, fox: Samples, hop: int):
    plain, biased = heard(engine, fox, hop=hop)[-1], heard(engine, fox, Hotword("Foxx", 3.0), hop=hop)[-1]
    assert text(biased) == PLAIN.replace("fox", "Foxx")
    old, new = plain.words[3], biased.words[3]
    assert abs(old.start - new.start) <= 3_200 and new.end <= biased.words[4].start
    assert new.confidence < old.confidence / 2  # it is the model's own, which has no bias


def test_confidence_does_not_depend_on_the_weight(engine: Recogniser, fox: Samples):
    heavy, heavier = (heard(engine, fox, Hotword("Foxx", weight))[-1].words[3] for weight in (3.0, 5.0))
    assert heavy.text == heavier.text == " Foxx" and heavy.confidence == pytest.approx(heavier.confidence, abs=1e-6)


def test_partials_have_it_too(engine: Recogniser, fox: Samples):
    partials = heard(engine, fox, Hotword("Foxx", 3.0), hop=8_000)
    assert any("Foxx" in text(partial) for partial in partials[:-1])


def test_it_does_not_depend_on_the_batch(engine: Recogniser, fox: Samples):
    contexts = [DecodeContext("en", hotwords=lists) for lists in ((), ((Hotword("Foxx", 3.0),),), (IRRELEVANT,))]
    batch = [StepRequest(UtteranceId(f"batch {i}", 0), 0, 0, fox, True, True, 0.0, c) for i, c in enumerate(contexts)]
    found = [text(answer) for answer in engine.step(batch) if isinstance(answer, Hypothesis)]
    assert found == [PLAIN, PLAIN.replace("fox", "Foxx"), PLAIN]


def test_lists_are_kept_by_identity_and_forgotten():
    made = list[int]()
    kept = Kept(lambda hotwords: made.append(len(hotwords)))
    one, same = (Hotword("a"),), (Hotword("a"), Hotword("b"))
    for hotwords in (one, same, one, same):
        kept(hotwords)
    assert made == [1, 2]
    for number in range(300):
        kept((Hotword(str(number)),))
    kept(one)
    assert len(made) == 303


def test_places_of_phrases_in_a_draft():
    assert places_of([(2, 3), (9,)], [1, 2, 3, 4, 2, 3]) == {1, 2, 4, 5}
    assert letters(" KV-cache, 2!") == "kvcache2"


def test_nothing_is_favoured_without_weight():
    phrases = Phrases(lambda text: [ord(c) for c in text], lambda ids: "".join(map(chr, ids)), PhraseOptions())
    assert phrases.anywhere(((Hotword("a", 0.0),),), frozenset()) is None
    assert phrases.anywhere(((Hotword("a"),),), frozenset()) is not None


def test_a_step_makes_nothing_of_a_list_that_is_prepared(engine: Recogniser, fox: Samples, monkeypatch: pytest.MonkeyPatch):
    def step(hotwords: tuple[Hotword, ...]) -> Hypothesis:
        context = DecodeContext("en", hotwords=(hotwords,))
        (answer,) = engine.step([StepRequest(UtteranceId("prepared", 0), 0, 0, fox, True, True, 0.0, context)])
        assert isinstance(answer, Hypothesis)
        return answer

    prepared, other = (tuple(Hotword(f"{word}{n}") for word in ("Foxx", "LoRA")) for n in range(2))
    engine.prepare(prepared)
    monkeypatch.setattr("model.biasing.phrases.SoundIndex", None)
    monkeypatch.setattr("model.biasing.branches.Beginnings", None)
    assert text(step(prepared)) == PLAIN
    with pytest.raises(TypeError, match="not callable"):
        step(other)
    engine.close(UtteranceId("prepared", 0))
