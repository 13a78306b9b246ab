"""Against transformers with the same encoder states; packed rows against single ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.whisper.decoder import DecoderJob
from tests.model.tiny import HEADS, Tiny

TOKENS = [50258, 50259, 50359, 50363, 400, 7, 23, 8011, 400, 99]
WINDOW = 1500


def states(frames: int = WINDOW, seed: int = 0) -> Tensor:
    """Encoder states float32[frames, 64]."""
    return torch.randn(frames, 64, generator=torch.Generator().manual_seed(seed))


def job(small: Tiny, tokens: list[int], heard: Tensor, *, stride: int = 1) -> DecoderJob:
    return DecoderJob(tokens, 0, small.self_cache(), small.cross_cache(heard, stride), len(heard))


def test_logits_and_attention_are_those_of_transformers(small, small_reference):
    heard = states()
    hidden, scores = small.decoder([job(small, TOKENS, heard)])
    expected = small_reference(
        encoder_outputs=(heard[None],), decoder_input_ids=torch.tensor([TOKENS]), output_attentions=True, use_cache=False
    )
    torch.testing.assert_close(small.decoder.vocabulary(hidden[0]), expected.logits[0], atol=1e-4, rtol=1e-4)
    attention = torch.stack([expected.cross_attentions[layer][0, head] for layer, head in HEADS])
    torch.testing.assert_close(scores[0].softmax(-1), attention, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("cuts", [[4], [1, 2, 3], [9], list(range(1, len(TOKENS)))])
def test_tokens_in_pieces_give_what_they_give_at_once(small, cuts):
    heard = states(80)
    whole, scores = small.decoder([job(small, TOKENS, heard)])
    piecewise, parts = job(small, [], heard), []
    for start, end in zip([0, *cuts], [*cuts, len(TOKENS)], strict=True):
        piece = DecoderJob(TOKENS[start:end], start, piecewise.self_cache, piecewise.cross_cache, 80)
        parts.append(small.decoder([piece]))
    torch.testing.assert_close(torch.cat([hidden[0] for hidden, _ in parts]), whole[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(torch.cat([score[0] for _, score in parts], 1), scores[0], atol=1e-5, rtol=1e-4)


def test_a_position_can_be_written_again(small):
    heard = states(80)
    whole, _ = small.decoder([job(small, TOKENS, heard)])
    again = job(small, [*TOKENS[:6], 1, 2, 3, 4], heard)
    small.decoder([again])
    hidden, _ = small.decoder([DecoderJob(TOKENS[6:], 6, again.self_cache, again.cross_cache, 80)])
    torch.testing.assert_close(hidden[0], whole[0][6:], atol=1e-5, rtol=1e-4)


def test_rows_do_not_depend_on_the_rows_beside_them(small):
    jobs = [job(small, TOKENS[: 3 + i], states(40 * i + 1, i), stride=2) for i in range(4)]
    hidden, scores = small.decoder(jobs)
    for i, (one, h, s) in enumerate(zip(jobs, hidden, scores, strict=True)):
        alone = DecoderJob(one.tokens, 0, small.self_cache(), one.cross_cache, one.frames)
        (expected,), (attended,) = small.decoder([alone])
        assert s.shape == (len(HEADS), 3 + i, one.frames)
        torch.testing.assert_close(h, expected, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(s, attended, atol=1e-5, rtol=1e-4)


def test_the_silent_tail_counts_as_the_silence_it_stands_for(small):
    """All of it, kept position by position, is the same as 30 s of states."""
    spoken = states(300)
    padded = torch.cat([spoken, small.silent_states[300:]])
    expected, _ = small.decoder([job(small, TOKENS, padded)])
    found, _ = small.decoder([job(small, TOKENS, spoken)])
    torch.testing.assert_close(found[0], expected[0], atol=1e-4, rtol=1e-4)
