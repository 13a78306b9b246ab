"""Our own Whisper modules against those of transformers: the same work, one stream, the embedded weights.

encoder_30s_ms     30 s of audio through the encoder
encoder_10s_ms     10 s of audio, the padding to 30 s being the silent tail (ours only)
encoder_update_ms  0.4 s of new audio after 10 s, 0.8 s of them redone (ours only: others encode 30 s again)
decoder_verify_ms  40 tokens at once after 40 others, as when a draft is verified
decoder_token_ms   one token after 40 others

Ours includes the cross-attention keys and values with the encoder; transformers computes them with the first token, which is
not measured. Ours attends to the 10 s and the silent tail, transformers to 30 s.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import torch
from transformers import EncoderDecoderCache, WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from bench.report import parser, report
from model.features import silent_value
from model.kv_cache import FrameCache, SelfCache, SilentTail
from model.registry import resolve
from model.whisper.configuration import WhisperConfig
from model.whisper.decoder import Decoder, DecoderJob
from model.whisper.encoder import Encoder, EncoderJob
from model.whisper.weights import load_weights

SPEECH, WINDOW, UPDATE, REDONE = 500, 1500, 20, 40  # encoder frames of 20 ms
TOKENS = list(range(400, 440))
LOUDEST = 1.0


def main() -> None:
    """Run it."""
    options = parser(__doc__ or "")
    options.add_argument("--threads", type=int, default=1, help="threads of torch (default: 1)")
    options.add_argument("--repeats", type=int, default=20, help="of which the median counts (default: 20)")
    given = options.parse_args()
    torch.set_num_threads(given.threads)
    directory, measured = resolve("whisper-base"), partial(milliseconds, repeats=given.repeats)
    figures: dict[str, float] = {}
    with torch.inference_mode():
        for precision in ("float32", "int8"):
            figures |= {f"ours {precision} {name}": measured(work) for name, work in ours(directory, precision).items()}
        figures |= {f"transformers float32 {name}": measured(work) for name, work in theirs(directory).items()}
    report("modules", figures, vars(given))


Work = dict[str, Callable[[], object]]


def ours(directory: Path, precision: str) -> Work:
    """Each piece of work on our modules."""
    config = WhisperConfig.load(directory)
    weights = load_weights(directory, config)
    encoder, decoder = Encoder(weights, config, precision), Decoder(weights, config, precision)
    kv, states = encoder.silence(silent_value(LOUDEST))
    cache, cross = FrameCache(SilentTail(kv, 4)), FrameCache(SilentTail(decoder.project(states), 2))
    heads = config.decoder_attention_heads
    own = SelfCache(config.decoder_layers, heads, config.max_target_positions, config.d_model // heads)
    mel = torch.randn(config.num_mel_bins, 2 * WINDOW + 1)

    def encode(first: int, frames: int) -> None:
        decoder.remember(cross, first, encoder([EncoderJob(cache, mel, first, frames)])[0])

    def decode(tokens: list[int], start: int) -> torch.Tensor:
        hidden, _ = decoder([DecoderJob(tokens, start, own, cross, SPEECH)])
        return decoder.vocabulary(hidden[0])

    decode(TOKENS, 0)
    return {
        "encoder_30s_ms": lambda: encode(0, WINDOW),
        "encoder_10s_ms": lambda: encode(0, SPEECH),
        "encoder_update_ms": lambda: encode(SPEECH - REDONE, SPEECH + UPDATE),
        "decoder_verify_ms": lambda: decode(TOKENS, len(TOKENS)),
        "decoder_token_ms": lambda: decode(TOKENS[:1], len(TOKENS)),
    }


def theirs(directory: Path) -> Work:
    """Each piece of work on the modules of transformers."""
    model = WhisperForConditionalGeneration.from_pretrained(directory, dtype=torch.float32).eval()
    mel = torch.randn(1, model.config.num_mel_bins, 2 * WINDOW)
    states = BaseModelOutput(last_hidden_state=model.model.encoder(mel).last_hidden_state)

    def decode(tokens: list[int], cache: EncoderDecoderCache | None) -> object:
        return model(decoder_input_ids=torch.tensor([tokens]), encoder_outputs=states, past_key_values=cache, use_cache=True)

    cache = decode(TOKENS, None).past_key_values

    def append(tokens: list[int]) -> None:
        decode(tokens, cache)
        cache.crop(-len(tokens))

    return {
        "encoder_30s_ms": lambda: model.model.encoder(mel),
        "decoder_verify_ms": lambda: append(TOKENS),
        "decoder_token_ms": lambda: append(TOKENS[:1]),
    }


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Median time of one call, after two that do not count."""
    times = []
    for _ in range(repeats + 2):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) * 1000)
    return median(times[2:])


if __name__ == "__main__":
    main()
