"""Other readings of doubted sound, with real weights; and how they are judged."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.speech import fan
from model.biasing.gaps import Gap
from model.biasing.phrases import Memory, Phrases
from model.biasing.readings import Hint, ReadingOptions, Readings, Text
from model.decoding import Row, decode, rescore
from model.interfaces import DecodeContext, Hotword, Hypothesis, Recogniser, Samples, StepRequest, UtteranceId

HOTWORDS = tuple(map(Hotword, "quick brown fox|lazy dog|Kubernetes|LoRA|nginx|Redis|TensorRT|PostgreSQL".split("|")))


def noisy(sound: Samples, snr_db: float) -> Samples:
    return (sound + fan(len(sound), float(np.sqrt(np.mean(sound**2))) / 10 ** (snr_db / 20))).astype(np.float32)


@pytest.fixture
def options(engine: Any) -> Iterator[Readings]:
    readings: Readings = engine._text._readings
    before = readings.options
    yield readings
    readings.options = before


def heard(engine: Recogniser, sound: Samples, hotwords: tuple[Hotword, ...] = HOTWORDS, language: str = "en") -> str:
    context = DecodeContext(language, hotwords=(hotwords,) if hotwords else ())
    (answer,) = engine.step([StepRequest(UtteranceId("a", 0), 0, 0, sound, True, True, 0.0, context)])
    assert isinstance(answer, Hypothesis)
    return "".join(word.text for word in answer.words).strip().lower()


def test_what_was_misheard_in_noise_is_found(engine: Recogniser, fox: Samples, options: Readings):
    def found() -> set[str]:
        return {word.text for word in HOTWORDS if word.text.lower() in heard(engine, noisy(fox, -7.5))}

    again = found()
    options.options = replace(options.options, doubt=math.inf, unsure=math.inf)
    assert found() < again <= {"quick brown fox", "lazy dog"}


def test_what_is_noisy_is_also_read_with_the_noise_taken_out(recogniser: Any, fox: Samples, monkeypatch: pytest.MonkeyPatch):
    places, of, again = list[Any](), recogniser._hear, recogniser._text._again

    def cleared(*given: Any) -> Any:
        places.append(of(*given))
        return places[-1]

    def read(context: Any, language: str, first: Row, hint: Hint) -> Row:
        rows.append(first)
        found: Row = again(context, language, first, hint)
        return found

    rows = list[Row]()
    monkeypatch.setattr(recogniser, "_hear", cleared)
    monkeypatch.setattr(recogniser._text, "_again", read)
    heard(recogniser, noisy(fox, -7.0))
    assert len(places) == 1 and any(row.place is places[0] for row in rows) and any(row.place is not places[0] for row in rows)
    assert len({id(slot) for slot in recogniser._free}) == len(recogniser._free)
    count = len(recogniser._free)
    heard(recogniser, noisy(fox, -7.0))
    assert len(recogniser._free) == count


def test_what_costs_too_little_for_a_phrase_is_not_read_again(options: Readings):
    few, more = (row("and", cost, reach=90) for cost in (-4.0, -5.0))  # and 0.2 s unsaid at 4 nats
    for each, is_mixed, is_doubted in ((few, False, False), (few, True, True), (more, False, True)):
        text = Text(each, [], Memory(), lambda _: [], lambda first, hint: None, is_whole=True, is_mixed=is_mixed)
        assert options._is_unsure(text) is is_doubted


def test_what_is_sure_is_not_read_again(engine: Any, fox: Samples, options: Readings, monkeypatch: pytest.MonkeyPatch):
    def hints(*_: Any) -> Any:
        raise AssertionError("read again")

    monkeypatch.setattr(options, "_hints", hints)
    assert "quick brown fox" in heard(engine, fox)
    with pytest.raises(AssertionError, match="read again"):
        heard(engine, noisy(fox, -7.0))
    engine.close(UtteranceId("a", 0))


def test_all_readings_of_clear_speech_leave_it_as_it_is(engine: Recogniser, fox: Samples, options: Readings):
    options.options = replace(options.options, doubt=-1.0)
    others = HOTWORDS[2:]
    assert heard(engine, fox, others) == heard(engine, fox, ())


@torch.inference_mode()
def test_a_text_that_ends_too_early_is_read_on(recogniser: Any, fox: Samples, monkeypatch: pytest.MonkeyPatch):
    readings, texts = recogniser._text._readings, list[Text]()
    monkeypatch.setattr(readings, "revise", lambda _, found: texts.extend(t for t in found.values() if t.voiced().any()) or {})
    said = heard(recogniser, fox)
    (text,), choose, tokenizer = texts, recogniser._choose, recogniser.tokenizer
    assert readings._further(text) is None
    early = rescore(choose, text.row, tokenizer.encode(" The quick brown"), 0, margin=5.5)
    assert readings._further(replace(text, row=early)) is None
    further = readings._further(replace(text, row=early, is_mixed=True))
    decode(choose, [further])
    assert tokenizer.decode(further.tokens).strip().lower() == said


def test_noise_has_no_phrases(engine: Recogniser):
    for level in (0.003, 0.02, 0.1):
        assert heard(engine, fan(80_000, level)) == ""


# how they are judged; a token is a letter, the audio has 100 frames


def row(text: str, likelihood: float = 0.0, *, reach: int = 100, is_cut: bool = False) -> Row:
    attended = [*[0] * (len(text) - 1), reach, 100]
    made = Row(None, [], [], [], 100, frozenset({0}), heard=100, tokens=[*map(ord, text)], attended=attended, is_cut=is_cut)
    return replace(made, log_probabilities=[likelihood, *[0.0] * (len(text) - 1)], scores=[torch.zeros(0, len(text) + 1, 0)])


def best(first: Row, *others: Row, hotwords: tuple[Hotword, ...] = (Hotword("nginx"), Hotword("CI")), settled: int = 0) -> str:
    phrases = Phrases(lambda text: [*map(ord, text)], lambda tokens: "".join(map(chr, tokens)))

    def words(tokens: Any) -> list[tuple[str, list[int]]]:
        return [(f" {word}", [*map(ord, word)]) for word in "".join(map(chr, tokens)).split()]

    text = Text(first, [hotwords], Memory(), words, lambda first, hint: None, True, False, settled)
    readings = Readings(phrases, ReadingOptions(bonus=12.0, among=len(hotwords), unsaid=4.0, overrule=1.5))
    found = readings._best(text, (first, *others))
    readings._remember(text, found)
    assert (tuple(map(ord, "nginx")) in text.memory.said) is ("nginx" in "".join(map(chr, found.tokens)) and found is not first)
    return "".join(map(chr, found.tokens))


def test_a_phrase_is_worth_so_many_nats():
    assert best(row("engine x"), row("nginx", -9.9)) == "nginx"
    assert best(row("engine x"), row("nginx", -10.1)) == "engine x"  # five letters of six
    assert best(row("see eye"), row("CI", -3.9)) == "CI"
    assert best(row("see eye"), row("CI", -4.1)) == "see eye"
    assert best(row("engine x"), row("nginx", -19.9), hotwords=(Hotword("nginx", 2.0),)) == "nginx"


def test_in_the_place_of_settled_words_only_a_phrase_may_be_and_must_lead():
    said = row("um engine x", -5.0)
    assert best(said, row("engine x", -1.0)) == best(said, row("engine x", -1.0), settled=0) == "engine x"
    assert best(said, row("engine x", -1.0), settled=2) == "um engine x"
    assert best(said, row("um engines", -1.0), settled=8) == "um engines"
    assert best(said, row("um nginx", -14.8), settled=3) == "um nginx"
    assert best(said, row("um nginx", -13.4), settled=4) == "um nginx"
    assert best(said, row("um nginx", -13.6), settled=4) == "um engine x"


def test_one_of_many_phrases_is_worth_less():
    readings = Readings(Phrases(lambda text: [*map(ord, text)], lambda tokens: ""), ReadingOptions(bonus=12.0, among=350))
    few, some, many = (readings._bonus([(Hotword("a"),) * count]) for count in (1, 350, 1_000))
    assert (few, some) == (14.0, 12.0) and many == pytest.approx(12.0 - math.log(1_000 / 350))
    assert readings._bonus([(Hotword("a"),) * 500] * 2) == many


def test_one_phrase_more_must_lead():
    phrases = Phrases(lambda text: [*map(ord, text)], lambda tokens: "".join(map(chr, tokens)))
    lists, options = [(Hotword("nginxes"),)], ReadingOptions(bonus=12.0, among=1, lead=3.0)
    text = Text(row("on"), lists, Memory(), lambda t: [("".join(map(chr, t)), t)], lambda first, hint: None, True, False)
    better, same = row("nginxes", -8.9), row("nginxes", -9.1)
    best = Readings(phrases, options)._best
    assert best(text, [text.row, better], 0) is better and best(text, [text.row, same], 0) is text.row
    assert best(text, [text.row, same], 1) is same  # in the place of another one


def test_what_is_doubted_before_its_last_word_is_unsettled():
    readings = Readings(Phrases(lambda text: [], lambda tokens: ""), ReadingOptions(unsettled=0.4))
    assert readings.is_unsettled(row("abcd", -1.3), 3) and not readings.is_unsettled(row("abcd", -1.1), 3)
    assert not readings.is_unsettled(row("abcd", -9.0), 0)


@pytest.mark.parametrize(("hotwords", "is_doubted"), [(HOTWORDS, True), ((), False)])
def test_it_says_what_is_doubted_where_there_are_hotwords(
    engine: Recogniser, fox: Samples, hotwords: tuple[Hotword, ...], is_doubted: bool
):
    def asked(sound: Samples) -> bool:
        context = DecodeContext("en", hotwords=(hotwords,) if hotwords else ())
        (answer,) = engine.step([StepRequest(UtteranceId("doubt", 0), 0, 0, sound, False, False, 0.0, context)])
        engine.close(UtteranceId("doubt", 0))
        assert isinstance(answer, Hypothesis) and answer.words
        return answer.is_doubted

    assert asked(noisy(fox, -7.5)) is is_doubted and asked(fox) is False


def test_a_phrase_counts_once_and_sayings_count():
    assert best(row("nginx"), row("nginx nginx", -0.1)) == "nginx"
    assert best(row("engine"), row("engine X", -5.0), hotwords=(Hotword("nginx", 1.0, ("engine x",)),)) == "engine X"


def test_a_phrase_that_is_stable_already_is_worth_nothing_more():
    stable = [*map(ord, "nginx ")]
    first, again = replace(row("and"), forced=stable), replace(row("and nginx", -2.0), forced=stable)
    assert best(first, again) == "and" and best(row("and"), row("and nginx", -2.0)) == "and nginx"


def test_voice_between_the_words_of_a_reading_costs():
    scores = torch.full((1, 3, 100), -20.0)
    scores[0, 0, :80] = scores[0, 1, 80:90] = scores[0, 2, 90:] = 20.0  # the first letter for 1.6 s
    phrases = Phrases(lambda text: [*map(ord, text)], lambda tokens: "".join(map(chr, tokens)))
    text = Text(
        replace(row("ab"), scores=[scores]),
        [(Hotword("nginx"),)],
        Memory(),
        lambda tokens: [(chr(token), [token]) for token in tokens],
        lambda first, hint: None,
        is_whole=True,
        is_mixed=True,
    )
    readings = Readings(phrases, ReadingOptions(unsaid=4.0))
    assert readings._score(text, text.row) == 0.0  # nobody can tell who speaks when
    spoken = replace(text, voiced=lambda: np.ones(100, bool))
    assert readings._score(spoken, text.row) == pytest.approx(-4.0 * ((80 - 18) + 10) / 50)


@pytest.mark.parametrize(
    ("said", "run", "heard", "expected"),
    [
        ("with pairform now", (5, 13), ["terraform"], "terraform"),
        ("with now", (5, 5), ["terraform", "nginx"], "terraformnginx"),  # nothing was written
        ("nginx with pairform", (11, 19), ["terraform", "nginx"], "terraform"),  # that is said elsewhere
        ("with nginx now", (5, 10), ["nginx"], ""),  # no other letters than before
        ("please do it on pairform", (0, 24), ["terraform"], ""),  # too much would be lost
        ("with pairform now", (5, 13), [], ""),
    ],
)
def test_a_phrase_must_account_for_what_it_takes_the_place_of(said: str, run: tuple[int, int], heard: list[str], expected: str):
    phrases = Phrases(lambda text: [*map(ord, text)], lambda tokens: "".join(map(chr, tokens)))

    def pieces(tokens: Any) -> list[tuple[str, list[int]]]:
        return [(word, [*map(ord, word)]) for word in "".join(map(chr, tokens)).split()]

    text = Text(row(said), [(Hotword("terraform"), Hotword("nginx"))], Memory(), pieces, lambda first, hint: None, True, True)
    found = Readings(phrases)._put(text, text.row, Gap(*run, 0, 9), {key: [*map(ord, key)] for key in heard})
    assert "".join(map(chr, found)) == expected


def test_what_is_left_unsaid_costs():
    assert best(row("hello"), row("nginx", -5.0, reach=40)) == "nginx"  # 1.2 s at 4 nats
    assert best(row("hello"), row("nginx", -6.0, reach=40)) == "hello"
    assert best(row("on", reach=20), row("on and on", -6.0)) == "on and on"


def test_of_mixed_texts_those_that_are_close_are_foremost():
    def foremost(*likelihoods: float, is_mixed: bool) -> list[float]:
        rows = [row("on", each) for each in likelihoods]
        text = Text(rows[0], [()], Memory(), lambda _: [], lambda first, hint: None, is_whole=True, is_mixed=is_mixed)
        readings = Readings(Phrases(lambda text: [], lambda tokens: ""), ReadingOptions(contenders=2, close=3.0))
        return [each.log_probabilities[0] for each in readings._foremost(text, rows)]

    assert foremost(-9.0, -6.0, -7.0, -8.0, is_mixed=True) == [-6.0, -7.0]
    assert foremost(-9.0, -5.0, -8.1, is_mixed=True) == [-5.0]
    assert foremost(-9.0, -6.0, -7.0, is_mixed=False) == [-6.0]


def test_a_reading_that_was_cut_is_the_last_resort():
    assert best(row("on"), row("nginx", is_cut=True)) == "on"
    assert best(row("on", is_cut=True), row("on and on", -50.0)) == "on and on"
    assert best(row("on", is_cut=True), row("nginx", is_cut=True)) == "nginx"


def test_a_hint_is_of_one_kind():
    assert Hint() == (None, "", False)
