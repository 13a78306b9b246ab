"""Each form of the text, as a listener of words sees it: one word after the other, then the final."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.interfaces import Hotword, Word
from streaming.errors import LimitExceeded
from streaming.spelling import NO_HOTWORDS, Speller, Spelling, letters
from streaming.stabiliser import Transcript
from streaming.text.redaction import KINDS
from streaming.text.style import TextStyle, check_style, stages
from streaming.writing import Stage, Writer

ALL = TextStyle("simplified", True, True, False, False, ("email", "phone", "card", "number"))
PLAIN = TextStyle(spacing=False)
STYLES = {
    "itn": TextStyle(itn=True, spacing=False),
    "fillers": TextStyle(fillers=False, spacing=False),
    "profanity": TextStyle(profanity=False, spacing=False),
    "redact": TextStyle(redact=("email", "phone", "card"), spacing=False),
    "simplified": TextStyle("simplified", spacing=False),
    "traditional": TextStyle("traditional", spacing=False),
    "spacing": TextStyle(),
    "all": ALL,
}


def words(text: str) -> tuple[Word, ...]:
    """Latin words, Chinese characters."""
    pieces: list[str] = []
    for letter in text:
        is_han = "\u4e00" <= letter <= "\u9fff"
        if not pieces or letter == " " or (is_han and pieces[-1] != " ") or "\u4e00" <= pieces[-1][-1] <= "\u9fff":
            pieces.append(letter)
        else:
            pieces[-1] += letter
    return tuple(Word(piece, 1_000 * at, 1_000 * at + 900, 0.9, (at,)) for at, piece in enumerate(pieces))


def text(written: tuple[Word, ...]) -> str:
    return "".join(word.text for word in written)


def final(style: TextStyle, heard: tuple[Word, ...], speller: Stage = NO_HOTWORDS) -> str:
    return text(Writer(speller, stages(style)).write_all(heard))


@pytest.mark.parametrize(
    ("style", "said", "expected"),
    [
        # numbers
        ("itn", "version three point eleven", "version 3.11"),
        ("itn", "one hundred and twenty three gigabytes of memory", "123 GB of memory"),
        ("itn", "in twenty twenty four, at fifty percent", "in 2024, at 50%"),
        ("itn", "port eight thousand eighty", "port 8080"),
        ("itn", "two point five million people and a hundred milliseconds", "2.5 million people and 100 ms"),
        ("itn", "I have two cats and one dog, no one knows", "I have two cats and one dog, no one knows"),
        ("itn", "Python 3 point 11", "Python 3.11"),
        ("itn", "百分之五十的人，端口八零八零", "50%的人，端口8080"),
        ("itn", "版本三点十一，下午三点十五分", "版本3.11，下午三点十五分"),
        ("itn", "设成一百二十八，千万不要三四个", "设成128，千万不要三四个"),
        ("itn", "port eight zero eight zero, a four oh four, since nineteen oh five", "port 8080, a 404, since 1905"),
        ("itn", "at 192 dot 168 dot 1 dot 1 and version two dot eleven dot zero", "at 192.168.1.1 and version 2.11.0"),
        ("itn", "on March third and the twenty second of May twenty twenty five", "on March 3rd and the 22nd of May 2025"),
        (
            "itn",
            "the twenty-first century, a thirty second delay, second thoughts",
            "the 21st century, a 30 second delay, second thoughts",
        ),
        ("itn", "you may second that first and march on the second", "you may second that first and march on the second"),
        ("itn", "two point five million dollars at five thirty pm", "$2.5 million at 5:30 pm"),
        ("itn", "one of them at one point in two days", "one of them at one point in two days"),
        ("itn", "二零二五年三月十五日，版本二点一一点零", "2025年3月15日，版本2.11.0"),
        ("itn", "四零四错误，五点一刻，一点一点地改", "404错误，五点一刻，一点一点地改"),
        ("itn", "万一三心二意，十万八千里，二百五，两点三十", "万一三心二意，十万八千里，二百五，两点三十"),
        # code
        ("itn", "set CUDA_VISIBLE_DEVICES equals zero comma one and run", "set CUDA_VISIBLE_DEVICES=0,1 and run"),
        ("itn", "设置 CUDA_VISIBLE_DEVICES等于零逗号一", "设置 CUDA_VISIBLE_DEVICES=0,1"),
        ("itn", "pass dash dash no dash cache dash dir please", "pass --no-cache-dir please"),
        ("itn", "dash dash port equals eight thousand eighty", "--port=8080"),
        ("itn", "python main dot py dash v", "python main.py -v"),
        ("itn", "edit slash etsy slash nginx slash nginx dot conf", "edit /etc/nginx/nginx.conf"),
        ("itn", "open localhost colon eighty eighty", "open localhost:8080"),
        ("itn", "call foo underscore bar open paren close paren", "call foo_bar()"),
        ("itn", "two plus two equals four and slash or", "two plus two equals four and slash or"),
        ("itn", "打开main点py，杠杠no杠cache，斜杠etc斜杠hosts", "打开main.py，--no-cache，/etc/hosts"),
        ("itn", "git commit dash dash amend dash dash no dash edit", "git commit --amend --no-edit"),
        ("itn", "tar dash xzf archive dot tar dot gz", "tar -xzf archive.tar.gz"),
        ("itn", "dash I think, a dash a quick one, A dash B testing", "dash I think, a dash a quick one, A dash B testing"),
        ("itn", "I want to underscore this and underscore the point", "I want to underscore this and underscore the point"),
        ("itn", "underscore underscore init underscore underscore", "__init__"),
        ("itn", "cd slash tmp or dot slash run dot sh", "cd /tmp or ./run.sh"),
        ("itn", "he slash she slash they and the dot com bubble", "he slash she slash they and the dot com bubble"),
        ("itn", "https colon slash slash example dot com slash docs", "https://example.com/docs"),
        ("itn", "john dot smith at example dot com or look at example dot com", "john.smith@example.com or look at example.com"),
        ("itn", "dash dash lr one e minus four", "--lr 1e-4"),
        # fillers
        ("fillers", "Um, so we, uh, start", "So we, start"),
        ("fillers", "uh-huh, mhm, the umbrella", "uh-huh, mhm, the umbrella"),
        ("fillers", "嗯，我们，呃，嗯，开始", "我们，开始"),
        # profanity
        ("profanity", "This fucking thing, Scunthorpe and Shiitake", "This f****** thing, Scunthorpe and Shiitake"),
        ("profanity", "你他妈的听着", "你他**听着"),
        # redaction
        ("redact", "mail me at john.smith@example.com please", "mail me at [email] please"),
        ("redact", "write to john dot smith at example dot com please", "write to [email] please"),
        ("redact", "call +1 415-555-0132 now", "call [phone] now"),
        ("redact", "call four one five five five five oh one three two", "call [phone]"),
        ("redact", "我的电话是一三八零零一三八零零零", "我的电话是[phone]"),
        ("redact", "card 4111 1111 1111 1111, thanks", "card [card], thanks"),
        ("redact", "card 4111 1111 1111 1111 12 26 123", "card [card]"),
        ("redact", "card 4111, uh, 1111 um 1111... 1111", "card [card]"),
        ("redact", "four one one one dash one one one one then one one one one space one one one one", "[card]"),
        ("redact", "四一一一，一一一一，嗯一一一一，一一一一。好", "[card]。好"),
        ("redact", "电话138，0013，8000或者４１５５５５０１３２", "电话[phone]或者[phone]"),
        ("redact", "one eight hundred five five five O one three two or 555.0132", "[phone] or [phone]"),
        (
            "redact",
            "three thousand two hundred and fifty one of 3.14159265",
            "three thousand two hundred and fifty one of 3.14159265",
        ),
        ("redact", "to J O H N at example dot com, john one two at example. com", "to [email], [email]"),
        ("redact", "邮箱是john艾特gmail点com谢谢", "邮箱是[email]谢谢"),
        ("redact", "of 2024 the 1,000,000 of 3.11 on 2024-11-24", "of 2024 the 1,000,000 of 3.11 on 2024-11-24"),
        ("redact", "look at foo.py at noon", "look at foo.py at noon"),
        # Chinese
        ("simplified", "語言模型 LoRA 微調頭髮", "语言模型 LoRA 微调头发"),
        ("traditional", "语言模型 LoRA 微调头发出发", "語言模型 LoRA 微調頭髮出發"),
        ("spacing", "用LoRA微调H200上的GPT-4o，KV cache很大", "用 LoRA 微调 H200 上的 GPT-4o，KV cache 很大"),
        ("spacing", "2024年11月的3个人", "2024年11月的3个人"),
        ("spacing", "これはPythonです", "これはPythonです"),
    ],
)
def test_forms(style: str, said: str, expected: str):
    assert final(STYLES[style], words(said)).strip() == expected
    assert final(PLAIN, words(said)) == said


@pytest.mark.parametrize("style", STYLES)
def test_chinese_becomes_stable_while_it_goes_on(style: str):
    heard = words("今天我们来讨论这个模型怎么训练，然后再看看怎么部署到服务器上")
    assert len(Writer(NO_HOTWORDS, stages(STYLES[style])).write(Transcript(heard, ())).stable) >= len(heard) - 4


@pytest.mark.parametrize(
    "repeated", [" dash", "a-", " foo dot", " one point", " um,", "一点", " a at", " twenty", " 1 2", "...", " one and"]
)
def test_no_rule_is_stuck_with_what_is_said_over_and_over(repeated: str):
    heard = tuple(Word(repeated, at, at + 1, 0.9) for at in range(60)) + words(" foo bar baz !")
    writer = Writer(NO_HOTWORDS, stages(ALL))
    writer.write(Transcript(heard, ()))
    assert writer.write_all(heard)


VOCABULARY = (
    " dash| equals| zero| comma| one| twenty| hundred| point| dot| py| com| john| at| um,| Uh| main| underscore| slash| colon"
    "| percent| gigabytes| double| 415| 555-0132| fuck| fucking| is| LoRA| localhost| oh| first| twenty-first| March| of| second"
    "| dollars| pm| five| thirty| double| dash,| in| e| minus| j| um| hundred| and| tilde"
    "| com.| 4111| to| ls| v| 艾特|月|日|年|刻|一|五|步|笑|嗯|呃|下划线|斜杠|杠"
    "|百|分|之|三|点|零|十|万|头|发|髮|頭|用|他|妈|的|嗯|，|."
).split("|")


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(VOCABULARY), max_size=14), data=st.data())
def test_what_is_stable_is_never_written_otherwise(style: str, pieces: list[str], data: st.DataObject):
    heard = tuple(Word(piece, 1_000 * at, 1_000 * at + 900, 0.9, (at,)) for at, piece in enumerate(pieces))
    writer, shown, known = Writer(NO_HOTWORDS, stages(STYLES[style])), tuple[Word, ...](), 0
    for count in range(len(heard) + 1):
        known = data.draw(st.integers(known, count))
        transcript = writer.write(Transcript(heard[:known], heard[known:count]))
        assert transcript.stable[: len(shown)] == shown
        shown = transcript.stable
    assert letters(text(writer.write_all(heard))) == letters(final(STYLES[style], heard))


@settings(max_examples=400, deadline=None)
@given(
    style=st.builds(
        TextStyle,
        st.sampled_from(["", "simplified", "traditional"]),
        *[st.booleans()] * 4,
        st.lists(st.sampled_from(KINDS), unique=True).map(tuple),
    ),
    pieces=st.lists(st.sampled_from(VOCABULARY), max_size=14),
    data=st.data(),
)
def test_however_words_come_what_is_stable_stays_and_begins_the_final(style: TextStyle, pieces: list[str], data: st.DataObject):
    heard = tuple(Word(piece, 1_000 * at, 1_000 * at + 900, 0.9, (at,)) for at, piece in enumerate(pieces))
    speller = Speller([Spelling((Hotword("LoRA"), Hotword("main_point"), Hotword("NCCL", 1.0, ("point com",))))])
    writer, shown, known = Writer(speller, stages(style)), tuple[Word, ...](), 0
    for _ in range(4):
        known = data.draw(st.integers(known, len(heard)))
        misheard = data.draw(st.lists(st.sampled_from(VOCABULARY), max_size=4))
        guess = tuple(Word(piece, 1_000 * at, 1_000 * at + 900, 0.5, (at,)) for at, piece in enumerate(misheard, known))
        transcript = writer.write(Transcript(heard[:known], guess))
        assert transcript.stable[: len(shown)] == shown
        shown = transcript.stable
    told = writer.write_all(heard)
    assert told[: len(shown)] == shown
    assert letters(text(told)) == letters(final(style, heard, speller))


SECRETS = [
    "john dot smith at example dot com",
    "j.doe@example.com",
    "4111 1111 1111 1111",
    "four one five five five five oh one three two",
    "4111, uh, 1111 dash 1111 then 1111 12 26",
    "J O H N at example dot com",
    "one eight hundred five five five four thousand",
]


@settings(max_examples=100, deadline=None)
@given(before=st.sampled_from(["call ", "mail ", ""]), item=st.sampled_from(SECRETS), after=st.sampled_from(["", " now please"]))
def test_no_partial_shows_what_the_final_takes_out(before: str, item: str, after: str):
    heard = words(f"{before}{item}{after}")
    writer = Writer(NO_HOTWORDS, stages(STYLES["redact"]))
    secret = {word.strip() for word in item.split()} - {"at", "dot", "then", "dash", "uh,"}
    for count in range(len(heard) + 1):
        transcript = writer.write(Transcript(heard[: max(0, count - 2)], heard[max(0, count - 2) : count]))
        assert not secret & set(text(transcript.words).split())
    assert not secret & set(text(writer.write_all(heard)).split())


def test_times_tokens_and_confidence_are_those_of_the_words():
    written = Writer(NO_HOTWORDS, stages(STYLES["itn"])).write_all(words("run dash dash help now"))
    assert written[1] == Word(" --help", 1_000, 3_900, 0.9, (1, 2, 3)) and len(written) == 3


def test_a_form_that_there_is_not_is_refused():
    with pytest.raises(LimitExceeded, match=r"text\.script is 'klingon', expected one of simplified, traditional"):
        check_style(TextStyle("klingon"))
    with pytest.raises(LimitExceeded, match=r"text\.redact is 'name', expected some of email, phone, card, number"):
        check_style(TextStyle(redact=("name",)))
