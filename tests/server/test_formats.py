"""Subtitles are cut to be read; the other forms are tested with `stenoline transcribe`."""

from __future__ import annotations

import html
import io

import pytest
import srt as reader
import webvtt

from model.interfaces import SAMPLE_RATE, Word
from server.formats import cues, srt, vtt
from streaming.events import FinalTranscript

SPEECH = (
    "Every client opens a socket and sends small pieces of sound, and a detector decides where speech begins and where it ends."
)


def final(words: list[str], every_s: float = 0.3, start_s: float = 0.0) -> FinalTranscript:
    at = [round((start_s + i * every_s) * SAMPLE_RATE) for i in range(len(words) + 1)]
    heard = tuple(Word(word, at[i], at[i + 1], 1.0) for i, word in enumerate(words))
    return FinalTranscript(0, heard, at[0], at[-1])


def spoken(text: str, **times: float) -> FinalTranscript:
    return final([" " + word for word in text.split()], **times)


def test_no_line_is_longer_than_42_columns_and_no_cue_higher_than_two():
    read = list(reader.parse(srt([spoken(SPEECH)])))
    assert " ".join(" ".join(each.content.split()) for each in read) == SPEECH
    lines = [each.content.splitlines() for each in read]
    assert max(len(line) for cue in lines for line in cue) <= 42 and max(map(len, lines)) == 2


def test_slow_speech_is_cut_by_time():
    read = list(reader.parse(srt([spoken(SPEECH, every_s=2.0)])))
    assert all((each.end - each.start).total_seconds() <= 7 for each in read)


def test_chinese_takes_two_columns_a_character():
    text = "我们把模型的键值缓存放在显存里，然后用很小的一块一块地送进去，听到哪里写到哪里。" * 2
    for cue in cues([final(list(text))]):
        assert all(sum(2 if ord(c) > 0x2E80 else 1 for word in line for c in word.text) <= 42 for line in cue)


def test_an_utterance_begins_a_new_cue():
    assert len(list(cues([spoken("Yes."), spoken("No.", start_s=1.0)]))) == 2


@pytest.mark.parametrize("text", ["if a < b && c --> d", "a & b", "<b>bold</b>"])
def test_signs_of_the_form_are_written_as_text(text: str):
    (cue,) = webvtt.from_buffer(io.StringIO(vtt([spoken(text)])))
    assert html.unescape(cue.raw_text) == text
