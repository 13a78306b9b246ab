from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile
import srt
import webvtt
from client import Word
from subtitles import LONGEST_S, WIDTH, CaptionFile, cues, tail, width

from bench.live import Server
from tests.client_examples.programs import ALLOWED, FOLDER, error_rate, is_one_line, run
from tests.server.conftest import wait_for


def words(*texts: str, each_s: float = 0.5, at: float = 1.0) -> list[Word]:
    return [Word(text, at + i * each_s, at + (i + 1) * each_s, 0.9) for i, text in enumerate(texts)]


def test_lines_are_short_and_cues_too():
    found = list(cues(words(*[f" word{i}" for i in range(60)])))
    assert " ".join(" ".join(cue.lines) for cue in found).split() == [f"word{i}" for i in range(60)]
    assert all(len(cue.lines) <= 2 and max(map(width, cue.lines)) <= WIDTH for cue in found)
    assert all(0 < cue.end - cue.start <= LONGEST_S for cue in found)
    assert max(len(cue.lines) for cue in found) == 2


def test_what_is_being_said_fits_the_terminal():
    assert tail("well said", 40) == "well said"
    assert tail("what is being said", 4) == "said"
    assert tail("正在说的话", 5) == "的话"
    assert tail("", 40) == ""


def test_slow_speech_is_cut_by_time():
    found = list(cues(words(*" a b c d e f g h".split(), each_s=3.0)))
    assert [cue.lines for cue in found] == [("ab",), ("cd",), ("ef",), ("gh",)]
    assert [cue.start for cue in found] == [1.0, 7.0, 13.0, 19.0]


def test_chinese_characters_take_two_columns():
    found = list(cues(words(*"语音识别系统把声音变成文字" * 5, each_s=0.1)))
    assert "".join(line for cue in found for line in cue.lines) == "语音识别系统把声音变成文字" * 5
    assert [len(line) for cue in found for line in cue.lines] == [21, 21, 21, 2]


def test_a_word_that_no_line_can_hold():
    found = list(cues(words(" " + "x" * 100, each_s=4.0)))
    assert "".join(line for cue in found for line in cue.lines) == "x" * 100
    assert all(width(line) <= WIDTH for cue in found for line in cue.lines)


def test_times_that_overlap_or_stand_still():
    found = list(cues([Word(" a", 3.0, 30.0, 1.0), Word(" b", 4.0, 4.0, 1.0), Word(" c", 4.0, 5.0, 1.0)], after=3.5))
    assert all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    assert all(3.5 <= cue.start < cue.end <= cue.start + LONGEST_S for cue in found)


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_a_file_is_whole_after_each_final(tmp_path: Path, suffix: str):
    path, said = tmp_path / f"captions{suffix}", list[str]()
    captions = CaptionFile(path, overwrite=False)
    for n in range(5):
        captions.add(words(f" {n}", " <b>", " &", " -->", " 文", at=n * 10.0))
        said += [str(n), "<b>", "&", "-->" if suffix == ".vtt" else "->", "文"]
        assert parsed(path).split() == said
    captions.add([])
    captions.close()
    assert parsed(path).split() == said


def parsed(path: Path) -> str:
    """The text of the captions, by a library that knows the format; their times must be in order."""
    if path.suffix == ".srt":
        found = list(srt.parse(path.read_text(), ignore_errors=False))
        times, texts = [(cue.start.total_seconds(), cue.end.total_seconds()) for cue in found], [cue.content for cue in found]
    else:
        read = webvtt.read(path)
        times, texts = [(cue.start_in_seconds, cue.end_in_seconds) for cue in read], [cue.text for cue in read]
        texts = [text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") for text in texts]
    assert all(start < end for start, end in times)
    assert all(a[1] <= b[0] for a, b in zip(times, times[1:], strict=False))
    assert all(len(text.splitlines()) <= 2 and max(map(width, text.splitlines())) <= WIDTH for text in texts)
    return " ".join(texts).replace("\n", " ")


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_a_sound_file(live: Server, talk_opening: tuple[Path, str], tmp_path: Path, suffix: str):
    path = tmp_path / f"talk{suffix}"
    done = run("subtitles.py", path, "--sound", talk_opening[0], "--speed", "4", "--language", "en", "--url", live.url)
    assert done.returncode == 0, done.stderr.decode()
    assert error_rate(talk_opening[1], parsed(path)) <= ALLOWED


def test_a_pipe_and_ctrl_c(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    path, (sound, _) = tmp_path / "talk.srt", soundfile.read(talk_opening[0], dtype="int16")
    command = [sys.executable, FOLDER / "subtitles.py", path, "--sound", "-", "--language", "en", "--url", live.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        assert program.stdin
        program.stdin.write(sound.tobytes())
        program.stdin.flush()
        assert wait_for(lambda: path.exists() and "1\n" in path.read_text(), tries=6_000)
        parsed(path)  # while it grows
        os.kill(program.pid, signal.SIGINT)
        out, error = program.communicate(timeout=60)
    assert program.returncode == 0, error.decode()
    assert error_rate(talk_opening[1], parsed(path)) <= ALLOWED, out.decode()


def test_captions_that_are_there_are_kept(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    path = tmp_path / "talk.srt"
    path.write_text("mine")
    done = run("subtitles.py", path, "--sound", talk_opening[0], "--url", live.url)
    assert is_one_line(done) and b"--overwrite" in done.stderr and path.read_text() == "mine"


def test_a_name_of_another_kind(live: Server, talk_opening: tuple[Path, str], tmp_path: Path):
    done = run("subtitles.py", tmp_path / "talk.txt", "--sound", talk_opening[0], "--url", live.url)
    assert is_one_line(done) and b".srt or .vtt" in done.stderr
