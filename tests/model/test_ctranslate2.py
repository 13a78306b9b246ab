"""The reader, on files that a small writer of the same format makes."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.ctranslate2 import BadModelFile, read_model

CODES = {"<f4": 0, "|i1": 1, "<i2": 2, "<i4": 3, "<f2": 4}
VARIABLES = {
    "a/weight": np.arange(6, dtype="<f4").reshape(2, 3),
    "b": np.array([-1, 1], "|i1"),
    "c": np.array([[300]], "<i2"),
    "d": np.array([70_000], "<i4"),
    "e": np.array([0.5, -2], "<f2"),
    "scalar": np.array(7, "<i2"),
}


def string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def variable(name: str, array: np.ndarray, *, code: int | None = None) -> bytes:
    head = string(name) + struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
    return head + struct.pack("<BI", CODES[array.dtype.str] if code is None else code, array.nbytes) + array.tobytes()


def written(
    variables: Mapping[str, np.ndarray] = VARIABLES,
    aliases: Mapping[str, str] | None = None,
    *,
    version: int = 6,
    count: int | None = None,
) -> bytes:
    body = b"".join(variable(*each) for each in variables.items())
    names = b"".join(string(alias) + string(name) for alias, name in (aliases or {}).items())
    head = struct.pack("<I", version) + string("WhisperSpec") + struct.pack("<II", 3, len(variables) if count is None else count)
    return head + body + struct.pack("<I", len(aliases or {})) + names


def test_what_was_written_is_read():
    model = read_model(written(aliases={"other": "b", "third": "d"}))
    assert (model.spec, model.revision, model.aliases) == ("WhisperSpec", 3, {"other": "b", "third": "d"})
    assert list(model.variables) == list(VARIABLES)
    for name, array in VARIABLES.items():
        assert model.variables[name].dtype == array.dtype
        np.testing.assert_array_equal(model.variables[name], array)


def test_arrays_are_views_into_the_file():
    data = bytearray(written({"b": VARIABLES["b"]}))
    array = read_model(memoryview(data)).variables["b"]
    data[data.index(b"\xff\x01")] = 5
    assert array.tolist() == [5, 1]


@pytest.mark.parametrize("version", [0, 5, 7])
def test_another_version_is_refused(version):
    with pytest.raises(BadModelFile, match=f"version is {version}, expected 6"):
        read_model(written(version=version))


@pytest.mark.parametrize("size", range(0, len(written(aliases={"x": "b"})), 7))
def test_a_file_that_ends_early_is_refused(size):
    with pytest.raises(BadModelFile, match=f"ends at byte {size}, expected"):
        read_model(written(aliases={"x": "b"})[:size])


@pytest.mark.parametrize("extra", [b"\0", b"more of it"])
def test_trailing_bytes_are_refused(extra):
    with pytest.raises(BadModelFile, match=f"{len(extra)} bytes follow"):
        read_model(written() + extra)


def test_an_unknown_type_is_refused():
    data = written({}, count=1)[:-4] + variable("odd", VARIABLES["b"], code=9) + struct.pack("<I", 0)
    with pytest.raises(BadModelFile, match="odd: type 9 is not known"):
        read_model(data)


def test_an_alias_to_nowhere_is_refused():
    with pytest.raises(BadModelFile, match="not there: nowhere"):
        read_model(written(aliases={"x": "nowhere"}))


def test_sizes_that_contradict_the_shape_are_refused():
    whole = variable("a", VARIABLES["a/weight"])
    data = written({}, count=1)[:-4] + whole.replace(struct.pack("<II", 2, 3), struct.pack("<II", 2, 4)) + struct.pack("<I", 0)
    with pytest.raises(BadModelFile, match=r"a: 6 values, expected shape \[2, 4\]"):
        read_model(data)


def test_bytes_that_are_no_whole_number_of_values_are_refused():
    whole = variable("a", VARIABLES["b"], code=0)
    with pytest.raises(BadModelFile, match="a: 2 bytes"):
        read_model(written({}, count=1)[:-4] + whole + struct.pack("<I", 0))


def test_a_name_twice_is_refused():
    twice = variable("b", VARIABLES["b"]) * 2
    with pytest.raises(BadModelFile, match="b is there twice"):
        read_model(written({}, count=2)[:-4] + twice + struct.pack("<I", 0))


@given(st.integers(0, len(written()) - 1), st.integers(0, 255))
def test_a_damaged_byte_is_read_or_refused_but_never_another_error(position, value):
    data = bytearray(written(aliases={"x": "b"}))
    data[position] = value
    try:
        read_model(bytes(data))
    except BadModelFile:
        pass
