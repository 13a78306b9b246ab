"""What the approximations of the engine change, on the first 10 s of the bundled talk; relative differences of norms.

encoder_30s        our encoder against that of transformers, both over 30 s, float32
silent_tail_N      10 s and the silent tail, one position in N kept, against the 30 s computed
int8_rows          int8 linear layers against float32, a scale for each row
int8_batch         the same with one scale for the batch
... beside_loud    beside a row fifty times as loud, as another stream's might be
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from transformers import WhisperForConditionalGeneration

from bench.report import parser, report
from model.features import MelWindow, mel_filters, silent_value
from model.kv_cache import FrameCache, SilentTail
from model.linear import FloatLinear, Int8Linear
from model.registry import resolve
from model.whisper.configuration import WhisperConfig
from model.whisper.encoder import Encoder, EncoderJob
from model.whisper.weights import load_weights
from server.media import blocks

TALK = Path(__file__).parent.parent / "data" / "talk.flac"
SPEECH, ZEROS, WINDOW = 500, 15, 1500  # encoder frames of 20 ms
STRIDES = (1, 2, 4, 8)
LOUDEST = 1.0
LAYER = "encoder.layers.3.fc2"


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "").parse_args()
    with torch.inference_mode():
        report("numerics", {**encoder(resolve("whisper-base")), **rows(resolve("whisper-base"))}, vars(options))


def difference(x: Tensor, reference: Tensor) -> float:
    """|x - reference| / |reference|."""
    return float((x - reference).norm() / reference.norm())


def encoder(directory: Path) -> dict[str, float]:
    """States of our encoder against those of transformers."""
    config = WhisperConfig.load(directory)
    ours = Encoder(load_weights(directory, config), config, "float32")
    theirs = WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).model.encoder
    window = _talk(config)
    padded = window.normalised(WINDOW, window.loudest(), LOUDEST)
    padded[:, -1] = 0  # past the 30 s there are zeros, not silence
    reference = theirs(padded[None, :, :-1]).last_hidden_state[0]
    kv, _ = ours.silence(silent_value(LOUDEST))

    def states(mel: Tensor, stride: int, frames: int) -> Tensor:
        return ours([EncoderJob(FrameCache(SilentTail(kv, stride)), mel, 0, frames)])[0]

    short = window.normalised(SPEECH + ZEROS, window.loudest(), LOUDEST)
    tails = {f"silent_tail_{n}": states(short, n, SPEECH + ZEROS)[:SPEECH] for n in STRIDES}
    found = {name: difference(x, reference[:SPEECH]) for name, x in tails.items()}
    return {"encoder_30s": difference(states(padded, 1, WINDOW), reference), **found}


def _talk(config: WhisperConfig) -> MelWindow:
    window = MelWindow(mel_filters(config.num_mel_bins))
    sound = torch.cat([torch.from_numpy(block) for block in blocks(TALK)])
    window.append(sound[: SPEECH * 320].numpy())
    return window


def rows(directory: Path) -> dict[str, float]:
    """One linear layer on random rows."""
    weights = load_weights(directory, WhisperConfig.load(directory))
    weight, bias = weights[f"{LAYER}.weight"], weights[f"{LAYER}.bias"]
    exact, by_row = FloatLinear(weight, bias), Int8Linear(weight, bias)
    x = torch.randn(64, weight.shape[1], generator=torch.Generator().manual_seed(0))
    crowd = torch.cat([x, 50 * x[:1]])
    figures = {}
    for name, given in (("", x), (" beside_loud", crowd)):
        figures[f"int8_rows{name}"] = difference(by_row(given)[: len(x)], exact(x))
        batch = torch.ops.quantized.linear_dynamic(given, by_row._packed) + bias
        figures[f"int8_batch{name}"] = difference(batch[: len(x)], exact(x))
    return figures


if __name__ == "__main__":
    main()
