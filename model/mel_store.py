"""Log-mel features of many growing windows, computed together on the device, each frame once.

The same front end as `model.features.MelWindow`, for a batch: only new audio goes to the device, and what is not normalised
yet stays there (the loudest cell, to which normalisation refers, is known only later).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.devices import put
from model.features import mel_filters
from model.interfaces import Samples
from model.lengths import FFT_SAMPLES, HOP_SAMPLES, WINDOW_FRAMES
from model.ranges import ranges

_HALF = FFT_SAMPLES // 2
_LOWEST = -10.0  # log10 of the power floor
_RANGE = 8.0  # decades below the loudest cell that are kept


@dataclass(slots=True)
class Heard:
    """One window's audio, as far as the host knows it."""

    slot: int
    samples: int = 0  # in the window
    frames: int = 0  # complete, in the store
    ending: int = 0  # after those: frames that reach past the audio, heard with zeros after it
    loudness: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # of the complete ones, frame by frame
    ending_loudness: float = _LOWEST
    pending: Samples = field(default_factory=lambda: np.zeros(0, np.float32))  # audio of frames that are not complete yet
    is_started: bool = False

    @property
    def loudest(self) -> float:
        """The loudest cell so far, log10 of power."""
        return float(self.loudness.max(initial=self.ending_loudness))

    def take(self, samples: Samples) -> tuple[Samples, int]:
        """The audio of the next frames with zeros after it, and how many of those frames are complete."""
        audio = np.concatenate([self.pending, samples])
        self.samples += len(samples)
        if not self.is_started and len(audio) > _HALF:
            audio, self.is_started = _reflected(audio), True
        ended = np.pad(audio, (0, FFT_SAMPLES))
        complete = _frames(len(audio)) if self.is_started else 0
        self.pending = audio[complete * HOP_SAMPLES :]
        return (ended if self.is_started else _reflected(ended)), complete

    def drop(self, frames: int) -> None:
        """Forget the oldest frames."""
        self.pending = self.pending[max(0, frames - self.frames) * HOP_SAMPLES :]
        self.loudness = self.loudness[frames:]
        self.frames, self.samples = max(0, self.frames - frames), self.samples - frames * HOP_SAMPLES


class MelStore:
    """Raw log10 mel power float32[slots, frames, mels]."""

    def __init__(self, slots: int, frames: int, mels: int, device: torch.device) -> None:
        self._mel = torch.zeros(slots, frames, mels, device=device)
        self._filters, self._taper = mel_filters(mels).T.to(device), torch.hann_window(FFT_SAMPLES, device=device)
        self._device = device

    def extend(self, windows: Sequence[Heard], samples: Sequence[Samples]) -> None:
        """Take float32[n] more for each window; its new frames are computed now, complete ones never again."""
        taken = [window.take(new) for window, new in zip(windows, samples, strict=True)]
        counts = [_frames(len(audio)) for audio, _ in taken]
        mel = self._log_mel([audio for audio, _ in taken], max(counts))
        self._keep(windows, counts, mel)
        loudness = mel.amax(2).cpu().numpy()
        for window, (_, complete), count, loud in zip(windows, taken, counts, loudness, strict=True):
            window.frames, window.ending = window.frames + complete, count - complete
            window.loudness = np.concatenate([window.loudness, loud[:complete]])
            window.ending_loudness = float(loud[complete:count].max(initial=_LOWEST))

    def drop(self, window: Heard, frames: int) -> None:
        """Forget the oldest frames of a window."""
        kept = self._mel[window.slot, frames : window.frames + window.ending].clone()
        self._mel[window.slot, : len(kept)] = kept
        window.drop(frames)

    def features(
        self, windows: Sequence[Heard], levels: Sequence[tuple[float, float]], first: Sequence[int], frames: int
    ) -> Tensor:
        """Mel frames from `first` of each window, normalised: float32[B, frames, mels]; silence after the audio.

        Clamped to eight decades below the loudest cell and scaled by (x + 4) / 4, as Whisper does; `levels` holds the loudest
        cell and what it is moved to. Before the window there are zeros, as the convolutions saw them in training.
        """
        begin, end, slot = put(np.array([first, _ends(windows), _slots(windows)]), self._device)[:, :, None].unbind(0)
        loudest, target = put(np.array(levels, np.float32), self._device)[:, :, None, None].unbind(1)
        place = begin + torch.arange(frames, device=self._device)
        mel = self._mel[slot, place.clamp(0, self._mel.shape[1] - 1)].masked_fill((place >= end)[:, :, None], _LOWEST)
        levelled = (mel - loudest).clamp_min(-_RANGE) + target
        outside = (place < 0) | (place >= 2 * WINDOW_FRAMES)
        return ((levelled + 4) / 4).masked_fill(outside[:, :, None], 0.0)

    def _keep(self, windows: Sequence[Heard], counts: Sequence[int], mel: Tensor) -> None:
        room = self._mel.shape[1]
        kept = [max(0, min(n, room - w.frames)) for w, n in zip(windows, counts, strict=True)]
        (row, frame), at = ranges([0] * len(kept), kept), np.array([[w.slot, w.frames] for w in windows])
        slot, first = at[row].T
        numbers = put(np.stack([row, frame, slot, first + frame]), self._device)
        self._mel[numbers[2], numbers[3]] = mel[numbers[0], numbers[1]]

    def _log_mel(self, audio: Sequence[Samples], frames: int) -> Tensor:
        """[B, frames, mels]."""
        padded = np.zeros((len(audio), FFT_SAMPLES + (frames - 1) * HOP_SAMPLES), np.float32)
        for row, samples in zip(padded, audio, strict=True):
            row[: len(samples)] = samples[: len(row)]
        spectrum = torch.fft.rfft(put(padded, self._device).unfold(1, FFT_SAMPLES, HOP_SAMPLES) * self._taper)
        power = spectrum.real.square() + spectrum.imag.square()
        mel: Tensor = (power @ self._filters).clamp_min(10**_LOWEST).log10()
        return mel


def _frames(samples: int) -> int:
    return max(0, (samples - FFT_SAMPLES) // HOP_SAMPLES + 1)


def _reflected(audio: Samples) -> Samples:
    """The first frame is centred on the first sample: mirror what comes after it."""
    return np.concatenate([audio[_HALF:0:-1], audio])


def _slots(windows: Sequence[Heard]) -> list[int]:
    return [window.slot for window in windows]


def _ends(windows: Sequence[Heard]) -> list[int]:
    return [window.frames + window.ending for window in windows]
