"""One file format for every saved model: a zip of a manifest and plain arrays. No pickle.

Between whatever has a ``state()`` and wherever bytes are kept. Reading treats the bytes as
hostile: nothing is executed, and no more memory is taken than the bound allows.

    manifest.json        {"format": 1, "manifest": {...}, "arrays": {name: {dtype, shape, sha256}}}
    arrays/<name>.npy    one for each array, in the order of their names
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from policy.errors import ModelFileError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"

FORMAT = 1
LARGEST_BYTES = 2**31
MANIFEST = "manifest.json"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_DTYPE_KINDS = "biuf"
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00.."
    rb"\{'descr': '(?P<dtype>\|b1|\|[iu]1|<[iu][248]|<f[248])', 'fortran_order': False, "
    rb"'shape': \((?P<shape>[0-9, ]{0,600})\), \} *\n",
    re.DOTALL,
)
# Zip cannot tell of a time before 1980; a fixed one makes equal models equal bytes.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def dump(manifest: Mapping[str, JSON], arrays: Mapping[str, npt.NDArray[Any]]) -> bytes:
    """A model as bytes; the same model gives the same bytes.

    Args:
        manifest: JSON values; ``kind`` (str) and ``schema`` (int) are required.
        arrays: Of booleans, integers or floats, under names of ``[a-z][a-z0-9_]*``.

    Raises:
        ModelFileError: Something in it cannot be saved.

    Example:
        >>> data = dump({"kind": "demo", "schema": 1}, {"weights": np.arange(3.0)})
        >>> load(data)
        ({'kind': 'demo', 'schema': 1}, {'weights': array([0., 1., 2.])})
    """
    _check_manifest(manifest)
    entries: dict[str, bytes] = {}
    described: dict[str, JSON] = {}
    for name in sorted(arrays):
        array = _plain(name, arrays[name])
        entries[_path(name)] = _npy(array)
        described[name] = {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        }
    head = {"format": FORMAT, "manifest": dict(manifest), "arrays": described}
    try:
        text = json.dumps(head, allow_nan=False, sort_keys=True, ensure_ascii=True)
    except (TypeError, ValueError, RecursionError) as cause:
        raise ModelFileError(f"manifest cannot be written as JSON: {cause}") from None
    return _zip({MANIFEST: text.encode(), **entries})


def load(
    data: bytes, *, largest_bytes: int = LARGEST_BYTES
) -> tuple[dict[str, JSON], dict[str, npt.NDArray[Any]]]:
    """The manifest and the arrays that ``dump`` was given.

    Args:
        data: The file.
        largest_bytes: Bound on the size of everything in it, unpacked.

    Raises:
        ModelFileError: The bytes are no model file, damaged, too large, of another format, or
            hold anything that ``dump`` does not write. The message names the cause.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = _entries(archive, largest_bytes)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError) as cause:
        if isinstance(cause, ModelFileError):
            raise
        raise ModelFileError(f"not a readable model file, perhaps cut short: {cause}") from None
    except (NotImplementedError, RuntimeError) as cause:
        raise ModelFileError(f"model file uses a zip feature that is refused: {cause}") from None
    manifest, described = _read_head(entries)
    expected = {MANIFEST, *map(_path, described)}
    if entries.keys() != expected:
        odd = sorted(entries.keys() ^ expected)[0]
        state = "is not in the manifest" if odd in entries else "is missing"
        raise ModelFileError(f"model file entry {shown(odd)} {state}")
    return manifest, {
        name: _read_array(name, description, entries[_path(name)])
        for name, description in described.items()
    }


def _path(name: str) -> str:
    return f"arrays/{name}.npy"


def _check_manifest(manifest: Mapping[str, JSON]) -> None:
    kind, schema = manifest.get("kind"), manifest.get("schema")
    if not isinstance(kind, str) or not kind:
        raise ModelFileError(f"manifest kind is {shown(kind)}: must be a non-empty string")
    if isinstance(schema, bool) or not isinstance(schema, int) or schema < 1:
        raise ModelFileError(f"manifest schema is {shown(schema)}: must be a whole number from 1")


def _plain(name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The array in C order and little-endian, so that every machine writes the same bytes."""
    if not _NAME.fullmatch(name):
        raise ModelFileError(f"array name {shown(name)}: must match {_NAME.pattern}")
    if array.dtype.kind not in _DTYPE_KINDS or array.dtype.itemsize > 8:
        rule = "must be bool, int or float of at most 8 bytes"
        raise ModelFileError(f"array {name!r} is of {array.dtype}: {rule}")
    return np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")


def _npy(array: npt.NDArray[Any]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _zip(entries: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    # Stored, not deflated: the digits of learned weights do not compress.
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for path, content in entries.items():
            info = zipfile.ZipInfo(path, _NO_TIME)
            info.create_system = 3
            archive.writestr(info, content)
    return stream.getvalue()


def _entries(archive: zipfile.ZipFile, largest_bytes: int) -> dict[str, bytes]:
    infos = archive.infolist()
    total = sum(info.file_size for info in infos)
    if total > largest_bytes:
        raise ModelFileError(
            f"model file unpacks to {total} bytes: at most {largest_bytes} allowed"
        )
    paths = [info.filename for info in infos]
    for path in paths:
        name = path.removeprefix("arrays/").removesuffix(".npy")
        if path != MANIFEST and not (_NAME.fullmatch(name) and path == _path(name)):
            raise ModelFileError(f"model file entry {shown(path)} is not one that belongs there")
    if len(set(paths)) != len(paths):
        raise ModelFileError("model file has an entry twice")
    if MANIFEST not in paths:
        raise ModelFileError(f"model file has no {MANIFEST}")
    # zipfile reads no more than file_size of an entry, and checks its CRC.
    return {info.filename: archive.read(info) for info in infos}


def _read_head(entries: Mapping[str, bytes]) -> tuple[dict[str, JSON], dict[str, Any]]:
    try:
        head = json.loads(entries[MANIFEST], parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as cause:
        raise ModelFileError(f"{MANIFEST} is not JSON: {cause}") from None
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        found = head.get("format") if isinstance(head, dict) else head
        raise ModelFileError(f"model file has format {shown(found)}: this version reads {FORMAT}")
    manifest, described = head.get("manifest"), head.get("arrays")
    if not isinstance(manifest, dict) or not isinstance(described, dict):
        raise ModelFileError(f"{MANIFEST} must hold a manifest and arrays")
    _check_manifest(manifest)
    return manifest, described


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _read_array(name: str, description: object, content: bytes) -> npt.NDArray[Any]:
    """The array of an entry; its size is proven by its bytes before memory is taken."""
    # numpy's own reader evaluates the header as a Python literal, which hostile text can upset.
    header = _HEADER.match(content)
    if header is None:
        raise ModelFileError(f"array {name!r} is no .npy file of bool, int or float in C order")
    shape = [int(length) for length in header["shape"].split(b",") if length.strip()]
    raw = memoryview(content)[header.end() :]
    found = {
        "dtype": header["dtype"].decode(),
        "shape": shape,
        "sha256": hashlib.sha256(raw).hexdigest(),
    }
    if description != found:
        raise ModelFileError(f"array {name!r} is not what the manifest says: the file is damaged")
    dtype = np.dtype(found["dtype"])
    if math.prod(shape) * dtype.itemsize != len(raw):
        raise ModelFileError(f"array {name!r} has {len(raw)} bytes: too few or many for its shape")
    return np.frombuffer(raw, dtype).reshape(shape).copy()
