"""The batch encoder against transformers' Whisper and GLM-ASR: packing, frozen frames, the silent tail."""

from __future__ import annotations

import pytest
import torch

from model.audio_encoder import AudioEncoder
from model.features import silent_value
from model.kv_cache import FrameStore
from model.whisper.batch_recogniser import encoder_of
from model.whisper.configuration import WhisperConfig
from model.whisper.weights import open_weights

CPU, F32 = torch.device("cpu"), torch.float32


@pytest.fixture(scope="module")
def encoder(tiny_directory) -> AudioEncoder:
    config = WhisperConfig.load(tiny_directory)
    return encoder_of(open_weights(tiny_directory, config), config, CPU, F32)


def mel(frames: int, seed: int = 0, whole: int = 1500) -> torch.Tensor:
    """[3003, 80]: so many frames of noise, then silence, between zeros."""
    found = torch.full((2 * whole + 3, 80), silent_value(1.0))
    found[2 : 2 + 2 * frames] = torch.randn(2 * frames, 80, generator=torch.Generator().manual_seed(seed)) * 0.3
    found[:2] = found[-1:] = 0.0
    return found


def states(encoder: AudioEncoder, mels: list[torch.Tensor], sizes: list[int]) -> list[torch.Tensor]:
    passage = encoder.passage([0] * len(sizes), sizes, dtype=F32, device=CPU)
    x = encoder.stem(torch.stack([m[: 2 * max(sizes) + 3] for m in mels]), passage.spans, torch.ones(len(sizes), dtype=torch.bool))
    return list(encoder(x, passage).split(sizes))


def test_a_whole_window_is_that_of_transformers(encoder, small_reference):
    given = mel(700)
    expected = small_reference.model.encoder(given[2:-1].T[None]).last_hidden_state[0]
    (found,) = states(encoder, [given], [1500])
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def test_a_batch_is_what_each_is_alone(encoder):
    sizes = [300, 40, 299, 8]
    mels = [mel(size, seed) for seed, size in enumerate(sizes)]
    together = states(encoder, mels, sizes)
    for each, size, found in zip(mels, sizes, together, strict=True):
        torch.testing.assert_close(found, states(encoder, [each], [size])[0], atol=1e-5, rtol=0)


def test_the_silent_tail_stands_for_the_padding(encoder):
    """Exact in the first layer; after it the padding would have heard the speech, which the tail has not."""
    given, sizes = mel(400), [420]
    padded = states(encoder, [given], [1500])[0][:400]
    bare = states(encoder, [given], sizes)[0][:400]
    silence = mel(0)
    differences = {}
    for stride in (1, 4):
        encoder.keep_silence(silence[None], stride)
        differences[stride] = float((states(encoder, [given], sizes)[0][:400] - padded).abs().mean())
    encoder._tails = []
    without = float((bare - padded).abs().mean())
    assert differences[1] < 0.5 * without and abs(differences[4] - differences[1]) < 0.2 * without


def test_frozen_frames_attended_to_are_those_of_one_pass(encoder):
    """If the layers are computed for the same frames at once, keeping keys and values changes nothing."""
    layers = encoder.layers[:1]
    single = AudioEncoder(encoder._stem, layers, encoder._norm, encoder.heads, positions=encoder._positions)
    given, store = mel(200), FrameStore(1, 2, 300, encoder.heads, 64 // encoder.heads, CPU, F32)
    whole = single.passage([0], [200], [1], dtype=F32, device=CPU)
    start = torch.tensor([True])
    expected = single(single.stem(given[None, :403], whole.spans, start), whole, store)
    part = single.passage([120], [80], [1], [120], dtype=F32, device=CPU)
    found = single(single.stem(given[None, 240 : 240 + 163], part.spans, ~start), part, store)
    torch.testing.assert_close(found, expected[120:], atol=1e-5, rtol=0)


def test_the_form_that_can_be_a_graph_is_the_same(encoder):
    """Of one size, what does not count written where nobody reads."""
    encoder.keep_silence(mel(0)[None], 4)
    layers, sizes, before = len(encoder.layers), [60, 33, 64], [128, 0, 96]
    stores = [FrameStore(layers, 4, 300, encoder.heads, 64 // encoder.heads, CPU, F32) for _ in range(2)]
    mels = [mel(250, seed) for seed in range(3)]
    for store in stores:
        whole = encoder.passage([0] * 3, [200] * 3, [3, 0, 1], dtype=F32, device=CPU)
        x = encoder.stem(torch.stack([m[:403] for m in mels]), whole.spans, torch.ones(3, dtype=torch.bool))
        encoder(x, whole, store)
    chunks = torch.stack([m[2 * first : 2 * first + 131] for m, first in zip(mels, before, strict=True)])
    passage = encoder.passage(before, sizes, [3, 0, 1], before, dtype=F32, device=CPU)
    x = encoder.stem(chunks, passage.spans, torch.tensor([first == 0 for first in before]))
    expected = encoder(x, passage, stores[0]).split(sizes)
    numbers = torch.tensor([[*before, 300], [*sizes, 1], [*before, 0], [3, 0, 1, 0]])
    found = encoder.regular(torch.cat([chunks, chunks[:1]]), numbers, 256, stores[1]).split(64)
    for size, one, other in zip(sizes, expected, found, strict=False):
        torch.testing.assert_close(other[:size], one, atol=1e-5, rtol=0)
    for slot, first, size in zip((3, 0, 1), before, sizes, strict=True):
        one, other = (store._kv[:, :, slot, : first + size] for store in stores)
        torch.testing.assert_close(other, one, atol=1e-5, rtol=0)
    encoder._tails = []
