"""Log-mel features of a growing window, each frame computed once."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchaudio.functional import melscale_fbanks

from model.interfaces import SAMPLE_RATE, Samples
from model.lengths import FFT_SAMPLES, HOP_SAMPLES, WINDOW_FRAMES

_HALF = FFT_SAMPLES // 2
_LOWEST = 1e-10  # power floor
_RANGE = 8.0  # decades below the loudest cell that are kept
_QUIETEST, _LEAST_FRAMES = 0.1, 50  # share of the frames that hold nothing but noise; frames that tell what it is
_FAINT = 1_000.0  # noise of less than this part of the power does not matter
_TAKEN, _LEFT = 2.0, 0.1  # times the noise that are taken out; part of the power that stays in any case
_QUIET, _LOUD = 0.1, 0.9  # shares of the frames whose levels are the quiet and the loud one
_VOICE = 0.2  # of the way from the one to the other
_AROUND = 4  # frames before and after voice that belong to it: words have short silences in them
LEAD_FRAMES = 15  # of silence before a part


def mel_filters(n_mels: int) -> Tensor:
    """Slaney-scaled filters, float32[n_mels, 201], as in the published Whisper front end."""
    bank: Tensor = melscale_fbanks(FFT_SAMPLES // 2 + 1, 0.0, SAMPLE_RATE / 2, n_mels, SAMPLE_RATE, "slaney", "slaney")
    return bank.T.contiguous()


class MelWindow:
    """Raw log10 mel power of one window; audio is appended, frames are dropped from the front when it rolls."""

    def __init__(self, filters: Tensor) -> None:
        self._filters = filters
        self._taper = torch.hann_window(FFT_SAMPLES)
        self._frames = torch.empty(filters.shape[0], 0)
        self._pending = torch.empty(0)  # samples of frames that are not complete yet
        self._started = False
        self.samples = 0  # in the window

    def append(self, samples: Samples) -> None:
        """Take float32[n] more; every frame that is complete with them is computed now and never again."""
        self.samples += len(samples)
        self._pending = self._reflect(torch.cat([self._pending, torch.from_numpy(samples)]))
        if self._started:
            done = self._log_mel(self._pending)
            self._frames = torch.cat([self._frames, done], 1)
            self._pending = self._pending[done.shape[1] * HOP_SAMPLES :]

    def drop(self, samples: int) -> None:
        """Forget the oldest audio; a whole number of encoder frames."""
        frames = samples // HOP_SAMPLES
        incomplete = max(0, frames - self._frames.shape[1])
        self._frames = self._frames[:, frames:]
        self._pending = self._pending[incomplete * HOP_SAMPLES :]
        self.samples -= samples

    def normalised(self, frames: int, loudest: float, target: float) -> Tensor:
        """Features float32[n_mels, 2 * frames + 1], silence after the audio.

        Whisper clamps to eight decades below the loudest cell and scales by (x + 4) / 4. Here `loudest` is moved to `target`
        first, as if the gain had been set so: then silence is one value, whatever the level of the speech.
        """
        return _normalised(self._cells(), frames, loudest, target)

    def cleared(self, frames: int, least: float, target: float) -> Tensor | None:
        """The same with its noise taken out, the loudest cell at least `least`; None if there is too little of it to matter.

        Noise is what the quietest frames hold, band by band (spectral subtraction: Boll 1979).
        """
        if self._frames.shape[1] < _LEAST_FRAMES:
            return None
        power = 10 ** self._cells()
        noise = 10 ** self._frames.quantile(_QUIETEST, 1, keepdim=True)
        if power.mean() > _FAINT * noise.mean():
            return None
        clear = torch.maximum(power - _TAKEN * noise, _LEFT * power).clamp_min(_LOWEST).log10()
        return _normalised(clear, frames, max(least, self._loudest(clear)), target)

    def part(self, start: int, stop: int, frames: int, least: float, target: float) -> Tensor:
        """Encoder frames `start` to `stop` alone, as a window of so many with silence around them, otherwise as `cleared`."""
        cells = self._cells()[:, 2 * start : 2 * stop]
        before = torch.full((len(cells), 2 * LEAD_FRAMES), math.log10(_LOWEST))
        return _normalised(torch.cat([before, cells], 1), frames, max(least, self._loudest(cells)), target)

    def voiced(self) -> NDArray[np.bool_]:
        """Encoder frames that are louder than the quiet ones, and a few around them."""
        power = self._cells().mean(0).numpy()
        level: NDArray[np.float32] = power[: len(power) // 2 * 2].reshape(-1, 2).max(1)
        quiet, loud = np.quantile(level, (_QUIET, _LOUD)) if len(level) else (0.0, 0.0)
        return np.convolve(level > quiet + _VOICE * (loud - quiet), np.ones(2 * _AROUND + 1), "same") > 0

    def loudest(self) -> float:
        """The loudest cell so far, log10 of power."""
        return self._loudest(self._cells())

    def _cells(self) -> Tensor:
        return torch.cat([self._frames, self._ending()], 1)

    def _ending(self) -> Tensor:
        """Frames that reach past the audio, heard with zeros after it."""
        pending = self._reflect(torch.cat([self._pending, torch.zeros(FFT_SAMPLES)]), enough=True)
        return self._log_mel(pending)

    def _reflect(self, audio: Tensor, *, enough: bool = False) -> Tensor:
        """The first frame is centred on the first sample: mirror what comes after it."""
        if self._started or len(audio) <= _HALF:
            return audio
        self._started = not enough
        return torch.cat([audio[1 : _HALF + 1].flip(0), audio])

    def _log_mel(self, audio: Tensor) -> Tensor:
        if len(audio) < FFT_SAMPLES:
            return torch.empty(self._filters.shape[0], 0)
        spectrum = torch.fft.rfft(audio.unfold(0, FFT_SAMPLES, HOP_SAMPLES) * self._taper)
        power = spectrum.real.square() + spectrum.imag.square()
        mel: Tensor = (self._filters @ power.T).clamp_min(_LOWEST).log10()
        return mel

    @staticmethod
    def _loudest(frames: Tensor) -> float:
        return float(frames.max()) if frames.numel() else -10.0


def _normalised(cells: Tensor, frames: int, loudest: float, target: float) -> Tensor:
    levelled = (cells[:, : 2 * frames] - loudest).clamp_min(-_RANGE) + target
    missing = 2 * frames + 1 - levelled.shape[1]
    found = torch.nn.functional.pad((levelled + 4) / 4, (0, missing), value=silent_value(target))
    if frames == WINDOW_FRAMES:
        found[:, -1] = 0.0  # past the window the convolutions saw zeros in training
    return found


def silent_value(loudest: float) -> float:
    """What silence looks like after normalisation."""
    return (loudest - _RANGE + 4) / 4
