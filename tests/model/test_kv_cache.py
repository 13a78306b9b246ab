from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.kv_cache import FrameCache, SelfCache, SilentTail

LAYERS, HEADS, WIDTH, WINDOW = 2, 3, 1, 1500


def numbered(start: int, count: int, *, layer: int = 0) -> Tensor:
    """Keys [H, count, d] that say which layer and position they are of."""
    return (1e4 * layer + torch.arange(start, start + count)).float().view(1, count, 1).expand(HEADS, count, WIDTH)


def tail(stride: int) -> SilentTail:
    """Silence whose values are its positions, negative so that they are told from speech."""
    layers = [torch.stack([-numbered(1, WINDOW, layer=i)] * 2) for i in range(LAYERS)]
    return SilentTail(torch.stack(layers), stride)


def test_tokens_are_read_back_from_the_first_to_the_last_written():
    cache = SelfCache(LAYERS, HEADS, 20, WIDTH)
    cache.write(1, 0, numbered(0, 5, layer=1), numbered(100, 5, layer=1))
    k, v = cache.write(1, 5, numbered(5, 2, layer=1), numbered(105, 2, layer=1))
    assert torch.equal(k, numbered(0, 7, layer=1)) and torch.equal(v, numbered(100, 7, layer=1))


def test_a_token_that_is_written_again_forgets_what_came_after():
    cache = SelfCache(LAYERS, HEADS, 20, WIDTH)
    cache.write(0, 0, numbered(0, 9), numbered(0, 9))
    k, _ = cache.write(0, 3, numbered(50, 1), numbered(50, 1))
    assert k[0, :, 0].tolist() == [0, 1, 2, 50]


@pytest.mark.parametrize("stride", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("frames", [0, 1, 2, 3, 700, 1498, 1499, 1500])
def test_read_is_the_silence_after_the_frames_then_the_frames(stride, frames):
    cache = FrameCache(tail(stride))
    cache.write(1, 0, numbered(0, frames, layer=1), numbered(0, frames, layer=1))
    k, v, bias = cache.read(1, frames)
    silent = [position for position in range(stride // 2, WINDOW, stride) if position >= frames]
    assert (-k[0, : len(silent), 0] - 1e4 - 1).tolist() == silent
    assert torch.equal(k[:, len(silent) :], numbered(0, frames, layer=1))
    assert torch.equal(k, v)
    assert bias.tolist() == pytest.approx([math.log(stride)] * len(silent) + [0.0] * frames)


@given(st.sampled_from([1, 2, 3, 4, 5, 8]), st.integers(0, WINDOW))
def test_the_kept_silence_weighs_what_it_stands_for(stride, frames):
    silent = tail(stride)
    weight = stride * (silent.size - silent.first_after(frames))
    assert abs(weight - (WINDOW - frames)) <= stride


def test_new_frames_overwrite_old_ones_and_leave_those_before():
    cache = FrameCache(tail(4))
    cache.write(0, 0, numbered(0, 10), numbered(0, 10))
    cache.write(0, 6, numbered(900, 6), numbered(900, 6))
    assert cache.frame_keys(0, 12)[0, :, 0].tolist() == [0, 1, 2, 3, 4, 5, 900, 901, 902, 903, 904, 905]


def test_caches_share_no_frames():
    shared = tail(2)
    one, other = FrameCache(shared), FrameCache(shared)
    one.write(0, 0, numbered(0, 4), numbered(0, 4))
    other.write(0, 0, numbered(70, 4), numbered(70, 4))
    assert torch.equal(one.frame_keys(0, 4), numbered(0, 4))


def test_reading_copies_nothing():
    cache = FrameCache(tail(2))
    first, second = cache.read(0, 10)[0], cache.read(0, 400)[0]
    assert first.untyped_storage().data_ptr() == second.untyped_storage().data_ptr()
