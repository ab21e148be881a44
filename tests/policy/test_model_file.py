"""The model file: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from policy.errors import ModelFileError
from policy.model_file import dump, load

MANIFEST: dict[str, Any] = {"kind": "demo", "schema": 1, "names": ["ä", "b"], "nested": {"x": 1.5}}
ARRAYS = {"weights": np.arange(6.0).reshape(2, 3), "counts": np.array([1, 2], np.int32)}


@settings(max_examples=50, deadline=None)
@given(
    arrays(
        st.sampled_from(["<f8", ">f8", "<f4", "<i8", "|u1", "|b1", "<f2"]),
        array_shapes(min_dims=0, max_dims=4, min_side=0),
    )
)
def test_any_plain_array_survives(array: np.ndarray) -> None:
    manifest, loaded = load(dump(MANIFEST, {"x": array}))
    assert manifest == MANIFEST
    assert loaded["x"].shape == array.shape
    np.testing.assert_array_equal(loaded["x"], array)
    assert loaded["x"].flags.writeable


def test_the_same_model_gives_the_same_bytes_whatever_the_order() -> None:
    backwards = dict(reversed(ARRAYS.items()))
    turned = {name: np.asfortranarray(array) for name, array in backwards.items()}
    assert dump(dict(reversed(MANIFEST.items())), turned) == dump(MANIFEST, ARRAYS)


@pytest.mark.parametrize(
    ("manifest", "saved"),
    [
        ({"schema": 1}, {}),
        ({"kind": "", "schema": 1}, {}),
        ({"kind": "demo"}, {}),
        ({"kind": "demo", "schema": True}, {}),
        ({"kind": "demo", "schema": 1, "x": float("nan")}, {}),
        ({"kind": "demo", "schema": 1, "x": {1, 2}}, {}),
        (MANIFEST, {"x": np.array([{}, "pickled"], object)}),
        (MANIFEST, {"x": np.array(["text"])}),
        (MANIFEST, {"x": np.array([1j])}),
        (MANIFEST, {"x": np.ones(1, np.longdouble)}),
        (MANIFEST, {"../x": np.ones(1)}),
        (MANIFEST, {"X": np.ones(1)}),
        (MANIFEST, {"": np.ones(1)}),
    ],
)
def test_what_cannot_be_saved_is_refused(manifest: Any, saved: Any) -> None:
    with pytest.raises(ModelFileError):
        dump(manifest, saved)


def entries() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(dump(MANIFEST, ARRAYS))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(content: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return stream.getvalue()


def with_head(**changes: Any) -> bytes:
    content = entries()
    head = json.loads(content["manifest.json"]) | changes
    return packed(content | {"manifest.json": json.dumps(head).encode()})


def npy(
    array: np.ndarray, *, allow_pickle: bool = False, version: tuple[int, int] = (1, 0)
) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=allow_pickle)
    return stream.getvalue()


def with_array(data: bytes, **description: Any) -> bytes:
    content = entries()
    head = json.loads(content["manifest.json"])
    head["arrays"]["counts"] |= description
    return packed(content | {"manifest.json": json.dumps(head).encode(), "arrays/counts.npy": data})


def huge_shape() -> bytes:
    header = b"{'descr': '<i4', 'fortran_order': False, 'shape': (1099511627776,), }"
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"12345678"


def encrypted() -> bytes:
    data = bytearray(dump(MANIFEST, ARRAYS))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    return bytes(data)


def doubled() -> bytes:
    content = entries()
    data = packed(content | {"arrays/countt.npy": content["arrays/counts.npy"]})
    return data.replace(b"arrays/countt.npy", b"arrays/counts.npy")


GOOD = dump(MANIFEST, ARRAYS)
HOSTILE = {
    "empty": (b"", "not a readable model file"),
    "words": (b"hello", "not a readable model file"),
    "pickle": (b"\x80\x04\x95\x00\x00.", "not a readable model file"),
    "cut short": (GOOD[:-30], "not a readable model file"),
    "cut in half": (GOOD[: len(GOOD) // 2], "not a readable model file"),
    "encrypted": (encrypted(), "zip feature"),
    "no manifest": (
        packed({k: v for k, v in entries().items() if k != "manifest.json"}),
        "no manifest.json",
    ),
    "manifest no JSON": (packed(entries() | {"manifest.json": b"{"}), "not JSON"),
    "manifest not UTF-8": (packed(entries() | {"manifest.json": b"\xff\xfe{"}), "not JSON"),
    "manifest with NaN": (packed(entries() | {"manifest.json": b"NaN"}), "not JSON"),
    "manifest too deep": (packed(entries() | {"manifest.json": b"[" * 200_000}), "not JSON"),
    "manifest a list": (packed(entries() | {"manifest.json": b"[1]"}), "has format"),
    "another format": (with_head(format=2), "has format 2: this version reads 1"),
    "no inner manifest": (with_head(manifest=None), "must hold a manifest and arrays"),
    "arrays a list": (with_head(arrays=[]), "must hold a manifest and arrays"),
    "no kind": (with_head(manifest={"schema": 1}), "kind is None"),
    "no schema": (with_head(manifest={"kind": "demo"}), "schema is None"),
    "undescribed array": (with_head(arrays={}), "is not in the manifest"),
    "array missing": (
        packed({k: v for k, v in entries().items() if "counts" not in k}),
        "is missing",
    ),
    "extra file": (packed(entries() | {"readme.txt": b"hi"}), "'readme.txt' is not one"),
    "path up": (packed(entries() | {"arrays/../../x.npy": b"hi"}), "is not one"),
    "absolute path": (packed(entries() | {"/etc/passwd": b"hi"}), "is not one"),
    "folder": (packed(entries() | {"arrays/": b""}), "is not one"),
    "described path up": (with_head(arrays={"../x": {}}), "'arrays/../x.npy' is missing"),
    "entry twice": (doubled(), "twice"),
    "other bytes": (
        with_array(npy(np.array([1, 3], np.int32))),
        "is not what the manifest says",
    ),
    "other shape": (with_array(npy(np.array([[1, 2]], np.int32))), "not what the manifest says"),
    "description no table": (
        with_head(arrays={"counts": 1, "weights": 2}),
        "not what the manifest says",
    ),
    "pickled objects": (
        with_array(npy(np.array([{}], object), allow_pickle=True)),
        "no .npy file of bool, int or float",
    ),
    "text": (with_array(npy(np.array(["x"]))), "no .npy file of bool, int or float"),
    "no npy": (with_array(b"\x80\x04."), "no .npy file"),
    "npy cut short": (with_array(npy(ARRAYS["counts"])[:40]), "no .npy file"),
    "npy of version 2": (with_array(npy(ARRAYS["counts"], version=(2, 0))), "no .npy file"),
    "column order": (
        with_array(npy(np.asfortranarray(np.ones((2, 2), np.int32))), shape=[2, 2]),
        "no .npy file of bool, int or float in C order",
    ),
    "strange dtype": (
        with_array(npy(ARRAYS["counts"]).replace(b"<i4", b"<f3")),
        "no .npy file",
    ),
    "header with code": (
        with_array(npy(ARRAYS["counts"]).replace(b"(2,)", b"2**9")),
        "no .npy file",
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_is_refused_with_the_cause(case: str) -> None:
    data, cause = HOSTILE[case]
    with pytest.raises(ModelFileError) as caught:
        load(data)
    assert cause in str(caught.value)
    assert len(str(caught.value)) < 500


def test_a_shape_larger_than_its_bytes_takes_no_memory() -> None:
    digest = hashlib.sha256(b"12345678").hexdigest()
    with pytest.raises(ModelFileError, match="has 8 bytes"):
        load(with_array(huge_shape(), shape=[1099511627776], sha256=digest))


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = packed(entries() | {"arrays/zeros.npy": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 100_000
    with pytest.raises(ModelFileError, match="at most 1000000 allowed"):
        load(bomb, largest_bytes=1_000_000)


def test_an_entry_that_lies_about_its_size_is_refused() -> None:
    """The directory claims few bytes so as to pass the bound."""
    bomb = bytearray(
        packed(entries() | {"arrays/zeros.npy": bytes(5_000_000)}, zipfile.ZIP_DEFLATED)
    )
    size = struct.pack("<L", 5_000_000)
    while size in bomb:
        where = bomb.index(size)
        bomb[where : where + 4] = struct.pack("<L", 100)
    with pytest.raises(ModelFileError):
        load(bytes(bomb), largest_bytes=1_000_000)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_no_flipped_byte_is_read_as_another_model(position: int, change: int) -> None:
    data = bytearray(GOOD)
    data[position] ^= change
    try:
        manifest, loaded = load(bytes(data))
    except ModelFileError:
        return
    assert manifest == MANIFEST
    assert {name: array.tolist() for name, array in loaded.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }
