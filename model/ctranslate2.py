"""A small reader of CTranslate2's model.bin, binary version 6 (layout: OpenNMT/CTranslate2, specs/model_spec.py).

Little-endian: u32 version; string spec; u32 revision; u32 count; then per variable string name, u8 rank, u32 dimensions,
u8 type, u32 bytes, data; then u32 count of aliases, each string alias, string name. A string is u16 length with its NUL.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

_T = TypeVar("_T")
_VERSION = 6
_TYPES: dict[int, str] = {0: "<f4", 1: "|i1", 2: "<i2", 3: "<i4", 4: "<f2"}


class BadModelFile(ValueError):
    """The bytes are not a model of this format; says what was found and expected."""


@dataclass(frozen=True, slots=True)
class Ctranslate2Model:
    """Variables by name; `aliases` maps another name to one of them."""

    spec: str
    revision: int
    variables: dict[str, NDArray[Any]]
    aliases: dict[str, str]


def read_model(data: bytes | memoryview) -> Ctranslate2Model:
    """Parse a whole file; arrays are views into `data`. Raises BadModelFile."""
    reader = _Reader(memoryview(data))
    version = reader.number("I")
    if version != _VERSION:
        raise BadModelFile(f"binary version is {version}, expected {_VERSION}")
    spec, revision = reader.string(), reader.number("I")
    variables = _named(reader.variable() for _ in range(reader.number("I")))
    aliases = _named((reader.string(), reader.string()) for _ in range(reader.number("I")))
    if reader.position != len(data):
        raise BadModelFile(f"{len(data) - reader.position} bytes follow the last alias, expected none")
    missing = sorted(set(aliases.values()) - set(variables))
    if missing:
        raise BadModelFile(f"aliases name variables that are not there: {', '.join(missing)}")
    return Ctranslate2Model(spec, revision, variables, aliases)


def _named(pairs: Iterable[tuple[str, _T]]) -> dict[str, _T]:
    known: dict[str, _T] = {}
    for name, value in pairs:
        if name in known:
            raise BadModelFile(f"{name} is there twice, expected every name once")
        known[name] = value
    return known


class _Reader:
    def __init__(self, data: memoryview) -> None:
        self.data, self.position = data, 0

    def take(self, size: int) -> memoryview:
        end = self.position + size
        if end > len(self.data):
            raise BadModelFile(f"file ends at byte {len(self.data)}, expected {size} bytes from {self.position}")
        self.position, part = end, self.data[self.position : end]
        return part

    def number(self, kind: str) -> int:
        value: int = struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]
        return value

    def string(self) -> str:
        start, raw = self.position, bytes(self.take(self.number("H")))
        try:
            return raw.rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise BadModelFile(f"the name at byte {start} is {raw[:40]!r}, expected UTF-8") from None

    def variable(self) -> tuple[str, NDArray[Any]]:
        name = self.string()
        shape = [self.number("I") for _ in range(self.number("B"))]
        kind = self.number("B")
        if kind not in _TYPES:
            raise BadModelFile(f"{name}: type {kind} is not known, expected one of {sorted(_TYPES)}")
        dtype, raw = np.dtype(_TYPES[kind]), self.take(self.number("I"))
        if len(raw) % dtype.itemsize:
            raise BadModelFile(f"{name}: {len(raw)} bytes, expected a whole number of {dtype.itemsize}-byte values")
        array = np.frombuffer(raw, dtype)
        if array.size != math.prod(shape):
            raise BadModelFile(f"{name}: {array.size} values, expected shape {shape}")
        return name, array.reshape(shape)
