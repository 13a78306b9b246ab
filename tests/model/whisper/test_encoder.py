"""Against transformers, and against itself: passes that redo everything, rows beside other rows, silence."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.whisper.encoder import Encoder, EncoderJob
from tests.model.tiny import SILENCE, Tiny

WINDOW = 1500


def features(frames: int, *, seed: int = 0, spoken: int | None = None) -> Tensor:
    """Random mel float32[80, 2 * frames + 1]; silence from frame `spoken` on."""
    mel = torch.randn(80, 2 * frames + 1, generator=torch.Generator().manual_seed(seed)) * 0.5
    if spoken is not None:
        mel[:, 2 * spoken :] = SILENCE
    return mel


def encode(small: Tiny, mel: Tensor, frames: int, *, stride: int = 1) -> Tensor:
    return small.encoder([EncoderJob(small.frame_cache(stride), mel, 0, frames)])[0]


def test_a_whole_window_is_that_of_transformers(small, small_reference):
    mel = features(WINDOW)
    mel[:, -1] = 0  # past the window the convolution sees zeros
    expected = small_reference.model.encoder(mel[None, :, :-1]).last_hidden_state[0]
    torch.testing.assert_close(encode(small, mel, WINDOW), expected, atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize("first", [1, 2, 17, 98])
def test_the_stem_computes_the_same_from_any_frame(small, first):
    mel = features(100)
    torch.testing.assert_close(small.encoder.stem(mel, first, 100), small.encoder.stem(mel, 0, 100)[first:], atol=1e-6, rtol=1e-5)


def test_redoing_everything_is_a_pass_over_the_whole(small):
    mel, cache = features(300), small.frame_cache()
    for frames in (50, 170, 300):
        found = small.encoder([EncoderJob(cache, mel[:, : 2 * frames + 1], 0, frames)])[0]
    assert torch.equal(found, encode(small, mel, 300))


def test_an_incremental_pass_attends_to_the_frozen_frames(small):
    mel, cache = features(300), small.frame_cache()
    small.encoder([EncoderJob(cache, mel, 0, 300)])
    again = small.encoder([EncoderJob(cache, mel, 200, 300)])[0]
    torch.testing.assert_close(again, encode(small, mel, 300)[200:], atol=1e-5, rtol=1e-4)


def test_frozen_frames_have_not_heard_what_came_later(small):
    mel, cache = features(300), small.frame_cache()
    small.encoder([EncoderJob(cache, mel[:, :401], 0, 200)])
    before = cache.frame_keys(1, 200).clone()
    small.encoder([EncoderJob(cache, mel, 150, 300)])
    after = cache.frame_keys(1, 200)
    assert torch.equal(after[:, :150], before[:, :150])
    assert not torch.allclose(after[:, 150:], before[:, 150:], atol=1e-3)


def test_rows_do_not_depend_on_the_rows_beside_them(small):
    sizes = [(0, 60), (40, 90), (0, 7), (300, 400)]
    caches, mels = [small.frame_cache(2) for _ in sizes], [features(frames, seed=i) for i, (_, frames) in enumerate(sizes)]

    def prepared() -> list[EncoderJob]:
        return [EncoderJob(c, m, first, frames) for c, m, (first, frames) in zip(caches, mels, sizes, strict=True)]

    for cache, mel, (first, _) in zip(caches, mels, sizes, strict=True):
        if first:
            small.encoder([EncoderJob(cache, mel[:, : 2 * first + 1], 0, first)])
    together = small.encoder(prepared())
    for job, states in zip(prepared(), together, strict=True):
        torch.testing.assert_close(small.encoder([job])[0], states, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("frames", [1, 5, 400, 1499])
def test_silence_with_the_whole_silent_tail_is_the_padded_reference(small, frames):
    mel = torch.full((80, 2 * frames + 1), SILENCE)
    torch.testing.assert_close(encode(small, mel, frames), small.silent_states[:frames], atol=1e-5, rtol=1e-4)


def test_the_kept_silence_is_that_of_transformers(small, small_reference):
    expected = small_reference.model.encoder(torch.full((1, 80, 2 * WINDOW), SILENCE)).last_hidden_state[0]
    torch.testing.assert_close(small.silent_states, expected, atol=2e-5, rtol=1e-4)


def test_a_silent_tail_is_much_nearer_to_the_padded_reference_than_none(small, small_reference):
    mel = features(WINDOW, spoken=200)
    mel[:, -1] = 0
    expected = small_reference.model.encoder(mel[None, :, :-1]).last_hidden_state[0, :200]
    short = mel[:, :441]
    error = {stride: float((encode(small, short, 220, stride=stride)[:200] - expected).norm()) for stride in (1, 4)}
    without = float((encode_without_tail(small.encoder, short, 220)[:200] - expected).norm())
    assert error[1] < error[4] * 1.5 < without / 2


def encode_without_tail(encoder: Encoder, mel: Tensor, frames: int) -> Tensor:
    """Only the real frames, as they stand."""

    class Bare:
        def write(self, layer: int, first: int, k: Tensor, v: Tensor) -> None:
            self.kv = k, v

        def read(self, layer: int, frames: int) -> tuple[Tensor, Tensor, None]:
            return *self.kv, None

    return encoder([EncoderJob(Bare(), mel, 0, frames)])[0]
