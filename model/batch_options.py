"""How a model is run as one batch, and what of a stream is kept between its steps.

Policies, by what a stream keeps:

- `exact`: nothing; each update encodes the whole window.
- `windowed`: the encoder's output; an update encodes the last `left_s` before what is not frozen, and what came since.
- `frozen-kv`: also keys and values of each encoder layer; an update encodes only what is not frozen and attends to the rest.

Frozen is what is older than `redone_s`. A final, and what is asked for as a whole window, is always encoded as `exact` would.
"""

from __future__ import annotations

from dataclasses import dataclass

POLICIES = ("exact", "windowed", "frozen-kv")


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """How a model is run."""

    device: str = "cpu"
    precision: str = "auto"  # "bfloat16" or "float32"; auto: the first on a GPU, the second on a CPU
    policy: str = "exact"
    left_s: float = 12.0
    redone_s: float = 0.64
    capacity: int = 0  # streams; 0: as many as the memory of a GPU holds, at most 1,024; 64 on a CPU
    max_rows: int = 64  # of one batch; larger ones are run in parts
    memory_fraction: float = 0.85  # of the free memory of a GPU, for streams
    tail_stride: int = 4  # of the silence after the audio, one position in so many is attended to
    is_padded: bool = False  # encode that silence up to 30 s each time, as the reference implementations do
    loudest: float | None = 1.0  # log10 power that the loudest cell is moved to; None: left where it is
    least_loudest: float = -1.5  # quieter windows are not amplified as if they were speech
    inaudible: float = -6.0  # a window whose loudest cell is below this holds nothing
    level_step: float = 0.5  # decades that the loudest cell may rise before the window is encoded anew
    partial_zeros: int = 1_600  # samples of silence after the audio
    final_zeros: int = 4_800
    store_s: float = 20.0  # of a window that frozen-kv can keep
    tokens_per_second: float = 8.0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"policy is {self.policy!r}, expected one of {', '.join(POLICIES)}")
