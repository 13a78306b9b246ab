"""Greedy decoding: what transformers generates, whatever the draft, the batch and the forced tokens."""

from __future__ import annotations

import random

import pytest
import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from model.decoding import Row, decode, finish, most_attended, rescore, verify
from model.sampling import GreedyChoice
from model.whisper.decoder import GreedyDecoder, Place
from tests.model.tiny import Tiny

START = [50258, 50259, 50359, 50363]
END = 50257
WINDOW = 1500
NEW = 24


@pytest.fixture(scope="module")
def heard() -> list[Tensor]:
    """Encoder states of four streams, each of them 30 s."""
    return [2 * torch.randn(WINDOW, 64, generator=torch.Generator().manual_seed(seed)) for seed in range(4)]


@pytest.fixture(scope="module")
def choose(small: Tiny) -> GreedyChoice:
    return GreedyChoice(small.config.vocab_size, range(END + 1, small.config.vocab_size), [220])


def row(small: Tiny, states: Tensor, **changes) -> Row:
    given = {
        "prompt": START,
        "start_index": 0,
        "forced": [],
        "draft": [],
        "limit": NEW,
        "ends": frozenset((END,)),
        "heard": WINDOW,
    } | changes
    return Row(Place(small.self_cache(), small.cross_cache(states), len(states)), **given)


def decoded(small: Tiny, choose: GreedyChoice, states: Tensor, **changes) -> Row:
    found = row(small, states, **changes)
    decode(GreedyDecoder(small.decoder, choose), [found])
    return found


@pytest.fixture(scope="module")
def scratch(small: Tiny, choose: GreedyChoice, heard: list[Tensor]) -> list[Row]:
    with torch.inference_mode():
        return [decoded(small, choose, states) for states in heard]


def test_tokens_are_those_that_transformers_generates(small_reference, heard, scratch):
    for states, found in zip(heard, scratch, strict=True):
        expected = small_reference.generate(
            encoder_outputs=BaseModelOutput(last_hidden_state=states[None]),
            decoder_input_ids=torch.tensor([START]),
            max_new_tokens=NEW,
            do_sample=False,
            suppress_tokens=list(range(END + 1, 51865)),
            begin_suppress_tokens=[220],
            pad_token_id=END,
            eos_token_id=END,
        )[0].tolist()
        text = expected[expected.index(START[-1]) + 1 :] if START[0] in expected else expected
        text = text[: text.index(END)] if END in text else text
        assert found.tokens == text and len(set(text)) > 10


@pytest.mark.parametrize("seed", range(12))
def test_a_draft_changes_nothing(small, choose, heard, scratch, seed):
    rng = random.Random(seed)
    for states, expected in zip(heard, scratch, strict=True):
        keep = rng.randrange(len(expected.tokens) + 1)
        draft = expected.tokens[:keep] + [rng.randrange(50000) for _ in range(rng.randrange(6))]
        found = decoded(small, choose, states, draft=draft[: NEW - 1])
        assert (found.tokens, found.is_cut) == (expected.tokens, expected.is_cut)
        torch.testing.assert_close(
            torch.tensor(found.log_probabilities), torch.tensor(expected.log_probabilities), atol=1e-4, rtol=1e-3
        )
        torch.testing.assert_close(torch.cat(found.scores, 1), torch.cat(expected.scores, 1), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_a_draft_that_is_wrong_in_the_middle_changes_nothing(small, choose, heard, scratch, seed):
    rng = random.Random(seed)
    for states, expected in zip(heard, scratch, strict=True):
        draft = list(expected.tokens)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(draft))
            draft[at : at + rng.randrange(3)] = [rng.randrange(50000) for _ in range(rng.randrange(3))]
        found = decoded(small, choose, states, draft=draft[: NEW - 1])
        assert (found.tokens, found.is_cut) == (expected.tokens, expected.is_cut)
        assert len(found.attended) == len(torch.cat(found.scores, 1)[0]) == len(expected.attended)
        torch.testing.assert_close(torch.cat(found.scores, 1), torch.cat(expected.scores, 1), atol=1e-3, rtol=1e-3)


def test_a_right_draft_costs_one_pass(small, choose, heard, scratch):
    calls = []

    class Counted:
        vocabulary = staticmethod(small.decoder.vocabulary)

        def __call__(self, jobs):
            calls.append([len(job.tokens) for job in jobs])
            return small.decoder(jobs)

    expected = scratch[0].tokens
    found = row(small, heard[0], draft=expected[: NEW - 1])
    decode(GreedyDecoder(Counted(), choose), [found])
    assert found.tokens == expected and len(calls) == 1


def test_rows_of_a_batch_do_not_touch_each_other(small, choose, heard, scratch):
    drafts = [[], scratch[1].tokens[:3], [5, 6, 7], scratch[3].tokens[:-1]]
    rows = [row(small, states, draft=draft) for states, draft in zip(heard, drafts, strict=True)]
    decode(GreedyDecoder(small.decoder, choose), rows)
    assert [r.tokens for r in rows] == [r.tokens for r in scratch]


def test_forced_tokens_are_kept_and_gone_on_from(small, choose, heard, scratch):
    expected = scratch[0].tokens
    found = decoded(small, choose, heard[0], forced=expected[:5])
    assert found.tokens == expected[5:]
    assert len(found.attended) == len(expected) and found.log_probabilities[0] == pytest.approx(
        scratch[0].log_probabilities[5], abs=1e-3
    )
    other = decoded(small, choose, heard[0], forced=[11, 12, 13])
    again = decoded(small, choose, heard[0], prompt=[*START, 11, 12, 13])
    assert other.tokens[: NEW - 3] == again.tokens[: NEW - 3]


def test_text_before_the_start_counts_as_context_only(small, choose, heard):
    found = decoded(small, choose, heard[0], prompt=[50361, 40, 50, 60, *START], start_index=4)
    assert found.start_logits is not None and found.start_logits.shape == (51865,)
    assert found.tokens != decoded(small, choose, heard[0]).tokens or found.log_probabilities


def test_the_start_logits_name_the_language(small, small_reference, heard, scratch):
    expected = small_reference(
        encoder_outputs=(heard[0][None],), decoder_input_ids=torch.tensor([START[:1]]), use_cache=False
    ).logits[0, 0]
    torch.testing.assert_close(scratch[0].start_logits, expected, atol=1e-4, rtol=1e-3)


def test_no_row_is_longer_than_its_limit(small, choose, heard):
    for limit in (1, 2, 7):
        found = decoded(small, choose, heard[1], limit=limit, draft=[5] * (limit - 1))
        assert len(found.tokens) <= limit and found.is_done


class Parrot:
    """A decoder that says what it is told, looking at the frames it is told: position → (token, frame)."""

    def __init__(self, tokens: list[int], frames: list[int], size: int = 64, width: int = 200) -> None:
        self.tokens, self.frames, self.size, self.width = tokens, frames, size, width

    def __call__(self, jobs):
        hidden = [torch.arange(job.start, job.start + len(job.tokens)).float()[:, None] for job in jobs]
        return hidden, [self._scores(h[:, 0].long().tolist()) for h in hidden]

    def _scores(self, places: list[int]) -> Tensor:
        scores = torch.zeros(1, len(places), self.width)
        for i, place in enumerate(places):
            scores[0, i, self.frames[min(place, len(self.frames) - 1)]] = 20.0
        return scores

    def vocabulary(self, hidden: Tensor) -> Tensor:
        logits = torch.zeros(len(hidden), self.size)
        for i, place in enumerate(hidden[:, 0].long().tolist()):
            logits[i, self.tokens[min(place, len(self.tokens) - 1)]] = 10.0
        return logits


def parroted(small: Tiny, tokens: list[int], frames: list[int], heard: int = 150, size: int = 64, **changes) -> Row:
    """A row that is told these tokens after a prompt of one."""
    found = row(small, torch.zeros(10, 64), **{"prompt": [1], "ends": frozenset((0,)), "limit": 60} | changes)
    found.heard = heard
    decode(GreedyDecoder(Parrot(tokens, frames, size), GreedyChoice(size, [], [])), [found])
    return found


def test_a_loop_is_cut_before_its_first_repeat(small):
    said = [5, 6, 7, *[8, 9, 10, 11] * 20]
    found = parroted(small, said, list(range(0, 150)))
    assert found.is_cut and found.tokens == [5, 6, 7, 8, 9, 10, 11]


def test_running_on_at_the_last_frames_is_cut(small):
    said = list(range(5, 45))
    found = parroted(small, said, [10 * i for i in range(15)] + [149] * 40)
    assert found.is_cut and 14 <= len(found.tokens) <= 17


def test_going_back_over_heard_words_is_cut(small):
    frames = [5 * i for i in range(29)] + [3 * i for i in range(20)]
    found = parroted(small, list(range(5, 60)), frames)
    assert found.is_cut and len(found.tokens) == 29


def test_writing_it_all_again_is_cut(small):
    said, frames = list(range(5, 17)), [10 * i for i in range(12)]
    found = parroted(small, [*said, *said, 0], [*frames, *[5] * 13])
    assert found.is_cut and found.tokens == said


def test_an_end_is_an_end(small):
    found = parroted(small, [5, 6, 7, 0], [0, 10, 20, 30])
    assert (found.tokens, found.is_cut, found.is_done) == ([5, 6, 7], False, True)
    assert found.end_log_probability < 0 and len(found.log_probabilities) == 3


@pytest.mark.parametrize(
    ("draft", "passes"),
    [
        ([*range(5, 12), 90, *range(13, 25)], 2),  # another one in its place
        ([*range(5, 12), *range(14, 25)], 4),  # two are missing: they are found one by one
        ([*range(5, 12), 90, 91, *range(12, 25)], 2),  # two too many
        ([*range(5, 12), 90, 91, 92, 93, 94, 95], 14),  # nothing to go on with
    ],
)
@pytest.mark.parametrize("reads_ahead", [True, False])
def test_a_draft_goes_on_behind_what_is_wrong_in_it(small, draft: list[int], passes: int, reads_ahead: bool):
    asked = list[int]()

    class Counted(Parrot):
        def __call__(self, jobs):
            asked.extend(len(job.tokens) for job in jobs)
            return super().__call__(jobs)

    said = [*range(5, 25), 0]
    found = row(small, torch.zeros(10, 64), prompt=[1], ends=frozenset((0,)), limit=60, draft=draft, heard=150)
    chooser = GreedyDecoder(Counted(said, [5 * i for i in range(21)], size=99), GreedyChoice(99, [], []))
    chooser.reads_ahead = reads_ahead
    decode(chooser, [found])
    assert found.tokens == said[:-1] and not found.is_cut
    assert len(asked) == (passes if reads_ahead else 14)


def test_what_is_to_stay_of_a_draft_stays_behind_a_change_too(small):
    said, draft = [*range(5, 25), 0], [*range(5, 12), 90, *range(13, 18), 70, *range(19, 25)]
    frames = [5 * i for i in range(21)]
    found = parroted(small, said, frames, draft=draft, kept=frozenset((13,)), size=99)
    assert found.tokens == [*range(5, 18), 70, *range(19, 25)]
    longer = [*range(5, 12), 90, 91, *range(12, 25)]
    for limit in range(8, 20):  # there is room for the first part only
        found = parroted(small, said, frames, draft=longer, kept=frozenset(range(9, 22)), size=99, limit=limit)
        assert found.is_cut and found.tokens == said[:limit]


@pytest.mark.parametrize(("loyal", "stays"), [(0.0, False), (9.0, False), (11.0, True)])
def test_a_loyal_row_takes_its_draft_where_that_is_not_much_less_likely(small, loyal: float, stays: bool):
    said, draft = [*range(5, 25), 0], [*range(5, 12), 90, *range(13, 25)]  # a Parrot's choice leads by 10 nats
    found = parroted(small, said, [5 * i for i in range(21)], draft=draft, loyal=loyal, size=99)
    assert found.tokens == (draft if stays else said[:-1])


@pytest.mark.parametrize("draft", [[], [5], [5, 6, 7], [5, 6, 7, 8, 9], [9, 9]])
def test_guards_do_not_depend_on_the_draft(small, draft):
    said = [5, 6, 7, *[8, 9, 10, 11] * 20]
    assert parroted(small, said, list(range(150)), draft=draft).tokens == [5, 6, 7, 8, 9, 10, 11]


def test_verify_then_finish_is_decode(small, choose, heard, scratch):
    rows = [row(small, states) for states in heard]
    verify(GreedyDecoder(small.decoder, choose), rows)
    assert all(len(r.tokens) <= 1 for r in rows)
    finish(GreedyDecoder(small.decoder, choose), rows)
    assert [r.tokens for r in rows] == [r.tokens for r in scratch]


def test_most_attended_looks_at_real_audio_only():
    scores = torch.zeros(2, 3, 10)
    scores[:, 0, 4], scores[:, 1, 9], scores[0, 2, 1], scores[1, 2, 2] = 5, 50, 4, 5
    assert most_attended(scores, 6) == [4, 0, 2]
    assert most_attended(scores[:0], 6) == [0, 0, 0] and most_attended(scores, 0) == [0, 0, 0]


def test_the_edge_of_the_sound_is_looked_at_only_in_earnest():
    scores = torch.tensor([[[2.0, 3.0, 2.5, 3.1], [0.0, 1.0, 1.0, 9.0], [0.0, 0.0, 2.0, 2.0]]])
    assert most_attended(scores, 4) == [1, 3, 2]


@torch.inference_mode()
@pytest.mark.parametrize("since", [0, 1, 5])
def test_a_text_scored_from_a_change_on_is_as_likely_as_from_the_start(small, choose, heard, scratch, since):
    chooser = GreedyDecoder(small.decoder, choose)
    text = [*scratch[0].tokens[:since], 7, 8, 9, 10]
    found = [rescore(chooser, decoded(small, choose, heard[0]), text, at) for at in (since, 0)]
    assert found[0].log_probabilities == pytest.approx(found[1].log_probabilities, abs=1e-3)
    assert found[0].attended == found[1].attended and found[0].tokens == text
    assert torch.cat(found[0].scores, 1).allclose(torch.cat(found[1].scores, 1), atol=1e-3)
