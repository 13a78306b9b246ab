"""What the parts of a step cost, how much arithmetic they are, and what the device could reach at best."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch

from bench.forced import FIRST
from bench.simulation import babble
from model.batch_decoder import Place
from model.batch_recogniser import BatchRecogniser
from model.decoding import Ask
from model.interfaces import StepRequest, UtteranceId

_WINDOW_S = 8.0  # of an utterance, for what is done once


@contextmanager
def counted(recogniser: BatchRecogniser) -> Iterator[dict[str, float]]:
    """Frames that are encoded, and the arithmetic of encoder and decoder, while it is open."""
    work, encode, choose = {"frames": 0.0, "flop": 0.0}, recogniser._encode, recogniser._choose  # type: ignore[attr-defined]
    encoder = [layer.qkv.weight.numel() * 4 for layer in recogniser._encoder.layers]  # q, k, v, out and twice 4 times the width
    decoder, vocabulary = decoder_size(choose)

    def counting_encode(jobs: Any) -> None:
        frames = sum(job.size for job in jobs)
        work["frames"] += frames
        work["flop"] += 2.0 * frames * sum(encoder)
        encode(jobs)

    def counting_choose(asks: Sequence[Ask]) -> Any:
        asks = list(asks)
        work["flop"] += 2.0 * sum(len(a.tokens) for a in asks) * decoder + 2.0 * sum(a.wanted for a in asks) * vocabulary
        return choose(asks)

    recogniser._encode = counting_encode  # type: ignore[method-assign]
    recogniser._choose = _Through(choose, counting_choose)  # type: ignore[attr-defined]
    try:
        yield work
    finally:
        recogniser._encode, recogniser._choose = encode, choose  # type: ignore[method-assign, attr-defined]


class _Through:
    """Another way to be called; else what it stands for."""

    def __init__(self, chooser: Any, call: Callable[[Sequence[Ask]], Any]) -> None:
        self._chooser, self._call = chooser, call

    def __call__(self, asks: Sequence[Ask]) -> Any:
        return self._call(asks)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chooser, name)


def decoder_size(choose: Any) -> tuple[int, int]:
    """Parameters that a token goes through, and those of the output."""
    inner = choose.chooser
    stack = getattr(inner, "_model", inner)
    sizes = [
        m.weight.numel() for layer in stack.layers for m in vars(layer).values() if hasattr(m, "weight") and m.weight.dim() == 2
    ]
    output = stack._output if hasattr(stack, "_output") else stack._embedding
    return sum(sizes), output.numel()


@torch.inference_mode()
def decode_step(recogniser: BatchRecogniser, rows: int, tokens: int = 300, repeats: int = 30) -> dict[str, Any]:
    """One more token for each row, against the time to read weights and keys once at the measured bandwidth."""
    inner = recogniser._choose.chooser  # type: ignore[attr-defined]
    rows = min(rows, inner.cache.rows)
    start = min(tokens, inner.cache.positions - 2)
    if hasattr(inner, "hear"):
        inner.hear(recogniser._memory[:1, :400].expand(rows, -1, -1), [400] * rows)  # type: ignore[attr-defined]
    asks = [Ask(Place(i, 0), [FIRST], start, 1, 1, 1, False, None) for i in range(rows)]
    seconds = timed(lambda: list(inner(asks)), recogniser.device, repeats)
    kv = inner.cache.kv
    read = sum(decoder_size(recogniser._choose)) * kv.itemsize  # type: ignore[attr-defined]
    read += kv.shape[0] * 2 * rows * start * kv.shape[4] * kv.shape[5] * kv.itemsize
    bandwidth = ceilings(recogniser.device)["copy_gb_s"] * 1e9
    return {
        "rows": rows,
        "tokens": start,
        "ms": round(1000 * seconds, 3),
        "floor_ms": round(1000 * read / bandwidth, 3),
        "gb_s": round(read / seconds / 1e9, 1),
    }


def parts(recogniser: BatchRecogniser, rows: int) -> dict[str, float]:
    """Mean time of the parts of one update of so many streams in the middle of an utterance."""
    rows, sound = min(rows, recogniser.capacity), babble(30.0)
    spent: dict[str, float] = {}
    names = [("features", recogniser._mel, "extend"), ("encoder", recogniser, "_encode"), ("decoder", recogniser, "_decode")]
    before, repeats = round(_WINDOW_S * 16_000), 5
    utterances = [UtteranceId(f"part-{i}", 0) for i in range(rows)]
    language = recogniser.languages[0] if recogniser.languages else None

    def request(u: UtteranceId, revision: int, start: int, size: int) -> StepRequest:
        made = StepRequest(u, revision, start, sound[start : start + size], False, False, 0.0)
        return replace(made, context=replace(made.context, language=language))

    recogniser.step([request(u, 0, 0, before) for u in utterances])
    with timing(names, spent, recogniser.device):
        began = time.perf_counter()
        for turn in range(repeats):
            recogniser.step([request(u, turn + 1, before + turn * 10_240, 10_240) for u in utterances])
        spent["step"] = time.perf_counter() - began
    for u in utterances:
        recogniser.close(u)
    found = {name: round(1000 * seconds / repeats, 2) for name, seconds in spent.items()}
    return {"rows": rows, **found, "words and the rest": round(2 * found["step"] - sum(found.values()), 2)}


@contextmanager
def timing(names: Sequence[tuple[str, Any, str]], spent: dict[str, float], device: torch.device) -> Iterator[None]:
    """Adds up the time of methods, waiting for the device after each."""

    def wrapped(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            began = time.perf_counter()
            result = method(*arguments)
            _wait(device)
            spent[name] = spent.get(name, 0.0) + time.perf_counter() - began
            return result

        return call

    for name, owner, method in names:
        setattr(owner, method, wrapped(name, getattr(owner, method)))
    try:
        yield
    finally:
        for _, owner, method in names:
            delattr(owner, method)


_CEILINGS: dict[str, dict[str, float]] = {}


def ceilings(device: torch.device) -> dict[str, float]:
    """Matrix products and copies on this device, now; once a run."""
    if str(device) not in _CEILINGS:
        on_gpu = device.type == "cuda"
        size, dtype = (8192, torch.bfloat16) if on_gpu else (1024, torch.float32)
        a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
        product = timed(lambda: a @ b, device, 10)
        source = torch.empty((4 if on_gpu else 1) * 2**28, device=device, dtype=torch.uint8)
        target = torch.empty_like(source)
        copy = timed(lambda: target.copy_(source), device, 10)
        _CEILINGS[str(device)] = {
            "tflops": round(2 * size**3 / product / 1e12, 2),
            "copy_gb_s": round(2 * source.numel() / copy / 1e9, 1),
        }
    return _CEILINGS[str(device)]


def timed(work: Callable[[], Any], device: torch.device, repeats: int) -> float:
    """Mean seconds, after two rehearsals."""
    for _ in range(2):
        work()
    _wait(device)
    began = time.perf_counter()
    for _ in range(repeats):
        work()
    _wait(device)
    return (time.perf_counter() - began) / repeats


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def utilisation(device: torch.device) -> int | None:
    """As the driver reports it, in percent; none where it does not."""
    if device.type != "cuda":
        return None
    try:
        return int(torch.cuda.utilization(device))
    except Exception:  # needs a library that need not be there
        return None
