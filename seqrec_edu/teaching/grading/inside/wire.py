"""What crosses between the checker and a student's process: JSON for structure, raw bytes for numbers, never pickle.

A message is an 8-byte length, a 4-byte length of the JSON, the JSON, and the bytes of all tensors one after the other.
Nothing in it can run: whoever reads it builds tensors of plain types with the sizes it announces, or refuses it. This
file and its neighbours in ``inside`` import nothing of ``seqrec_edu``: they run where no solution may be.
"""

import json
import math
import os
import struct

import numpy
import torch

DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128,
        torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool,
    )
}  # fmt: skip
PLAIN = (type(None), bool, int, float, str)
REFUSED = "not allowed: "  # begins the text of every refusal
DEEPEST = 20
LONGEST_TEXT = 100_000


class WireError(Exception):
    """The other side ended, or sent what is no message."""


class Opaque:
    """Stands for a value that does not cross: the checker sees that it is no tensor, and what it was called."""

    def __init__(self, name):
        self.name = name

    def __repr__(self):
        return f"<{self.name}>"


class Channel:
    """Messages over a pair of file descriptors (the same one twice for a socket), each at most ``most`` bytes."""

    def __init__(self, reading, writing, most):
        self.reading, self.writing, self.most = reading, writing, most

    def send(self, message):
        """Write one message; ``WireError`` if it is too large or nobody reads any more."""
        blobs = []
        text = json.dumps(encode(message, blobs)).encode()
        size = 4 + len(text) + sum(map(len, blobs))
        if size > self.most:
            raise WireError(f"a message of {size / 2**20:.0f} MiB, {self.most / 2**20:.0f} are allowed")
        self._write(b"".join([struct.pack("<QI", size, len(text)), text, *blobs]))  # one write: the reader wakes once

    def receive(self):
        """Read one message; ``WireError`` at the end of the stream and on everything that is no message."""
        size, text = struct.unpack("<QI", self._read(12))
        if size > self.most or text + 4 > size:
            raise WireError(f"a message of {size / 2**20:.0f} MiB, {self.most / 2**20:.0f} are allowed")
        body = self._read(size - 4)
        try:
            return decode(json.loads(body[:text]), memoryview(body)[text:])
        except WireError:
            raise
        except (ValueError, TypeError, KeyError, RuntimeError, RecursionError, OverflowError) as error:
            raise WireError(f"no message: {type(error).__name__}") from None

    def close(self):
        for fd in {self.reading, self.writing}:
            os.close(fd)

    def _write(self, data):
        data = memoryview(data)
        while data:
            try:
                data = data[os.write(self.writing, data) :]
            except OSError as error:
                raise WireError(f"nobody reads: {error.strerror}") from None

    def _read(self, size):
        parts = bytearray()
        while len(parts) < size:
            try:
                part = os.read(self.reading, min(size - len(parts), 1 << 20))
            except OSError as error:
                raise WireError(f"nothing to read: {error.strerror}") from None
            if not part:
                raise WireError("the other side ended")
            parts += part
        return bytes(parts)


def tensors_of(value):
    """All tensors of nested lists, tuples and dictionaries, in the order in which they are written."""
    if isinstance(value, torch.Tensor):
        return [value]
    if type(value) is dict:
        value = list(value.values())
    return [tensor for item in value for tensor in tensors_of(item)] if type(value) in (list, tuple) else []


def encode(value, blobs, depth=0):
    """A JSON tree for ``value``; the bytes of its tensors are appended to ``blobs``."""
    if depth > DEEPEST:
        return {"~": "other", "name": "a structure nested too deeply"}
    if type(value) is int and abs(value) >= 1 << 63:
        return {"~": "other", "name": "an integer of more than 64 bits"}
    if type(value) in PLAIN:
        return value[:LONGEST_TEXT] if type(value) is str else value
    if isinstance(value, torch.Tensor):
        return _encode_tensor(value, blobs)
    if type(value) in (list, tuple):
        return {"~": type(value).__name__, "items": [encode(item, blobs, depth + 1) for item in value]}
    if type(value) is dict and all(type(key) is str for key in value):
        return {"~": "dict", "items": {key: encode(item, blobs, depth + 1) for key, item in value.items()}}
    if type(value) is torch.dtype:
        return {"~": "dtype", "name": str(value).removeprefix("torch.")}
    if type(value) is torch.Generator:
        return {"~": "generator", "state": _encode_tensor(value.get_state(), blobs)}
    if type(value) is numpy.ndarray and value.dtype.kind in "fiub":
        return {"~": "array", "tensor": _encode_tensor(torch.from_numpy(value.copy()), blobs)}
    return {"~": "other", "name": str(type(value).__name__)[:80]}


def _encode_tensor(value, blobs):
    with torch._C.DisableTorchFunctionSubclass():  # a subclass that lies about itself is asked as a plain tensor
        wants = bool(torch.Tensor.requires_grad.__get__(value))
        if torch.Tensor.layout.__get__(value) != torch.strided:
            return {"~": "other", "name": f"a tensor laid out as {torch.Tensor.layout.__get__(value)}"}
        plain = torch.Tensor.as_subclass(torch.Tensor.detach(value), torch.Tensor)
        about = {"~": "tensor", "dtype": str(plain.dtype).removeprefix("torch."), "shape": list(plain.shape)}
        if (
            plain.dtype not in DTYPES.values()
            or plain.layout != torch.strided
            or plain.device.type not in ("cpu", "meta")
        ):
            return {"~": "other", "name": f"a tensor of {plain.dtype} on {plain.device}"}
        about |= {"grad": wants, "strides": list(plain.stride()), "device": plain.device.type}
        if plain.device.type == "cpu":
            blob = _bytes_of(plain)
            blobs.append(blob)
            about["bytes"] = len(blob)
    return about


def _bytes_of(tensor):
    """The elements in row order."""
    tensor = tensor.resolve_conj().resolve_neg().contiguous()
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor).contiguous()
    return tensor.reshape(-1).view(torch.uint8).numpy().tobytes()


def decode(tree, data):
    """The value of a JSON tree; ``data`` holds the bytes of its tensors in the order of the tree."""
    position = [0]
    value = _decode(tree, data, position)
    if position[0] != len(data):
        raise WireError("more bytes than announced")
    return value


def _decode(tree, data, position):
    if type(tree) in PLAIN:
        return tree
    kind = tree["~"]
    if kind == "tensor":
        return _decode_tensor(tree, data, position)
    if kind == "array":
        return _decode(tree["tensor"], data, position).numpy()
    if kind in ("list", "tuple"):
        items = [_decode(item, data, position) for item in tree["items"]]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: _decode(item, data, position) for key, item in tree["items"].items()}
    if kind == "dtype":
        return DTYPES[tree["name"]]
    if kind == "generator":
        generator = torch.Generator()
        generator.set_state(_decode(tree["state"], data, position))
        return generator
    return Opaque(str(tree["name"])[:120])


def _decode_tensor(tree, data, position):
    dtype, shape, strides = DTYPES[tree["dtype"]], tree["shape"], tree["strides"]
    if not all(type(size) is int and 0 <= size < 1 << 40 for size in shape) or len(shape) > 30:
        raise WireError("no shape")
    if tree["device"] == "meta":
        return torch.empty(shape, dtype=dtype, device="meta")
    count, start = tree["bytes"], position[0]
    if type(count) is not int or count != math.prod(shape) * dtype.itemsize or start + count > len(data):
        raise WireError("sizes that do not fit")
    position[0] = start + count
    if count == 0:
        return torch.empty(shape, dtype=dtype).requires_grad_(_differentiable(tree, dtype))
    flat = torch.frombuffer(bytearray(data[start : start + count]), dtype=torch.uint8).view(dtype)
    return _laid_out(flat.reshape(shape), strides).requires_grad_(_differentiable(tree, dtype))


def _differentiable(tree, dtype):
    return bool(tree["grad"]) and (dtype.is_floating_point or dtype.is_complex)


def _laid_out(tensor, strides):
    """The same numbers in the sender's memory order, so that a transposed input arrives transposed."""
    if list(tensor.stride()) == strides or len(strides) != tensor.dim():
        return tensor
    if not all(type(stride) is int and stride >= 0 for stride in strides):
        return tensor
    spread = [stride == 0 and size > 1 for size, stride in zip(tensor.shape, strides, strict=True)]
    kept = [1 if once else size for size, once in zip(tensor.shape, spread, strict=True)]
    reach = 1 + sum((size - 1) * stride for size, stride in zip(kept, strides, strict=True))
    if reach > 16 * tensor.numel() + 64:  # the strides of a small view into something large: not worth the memory
        return tensor
    whole = tensor[tuple(slice(0, size) for size in kept)]
    placed = torch.empty_strided(kept, strides, dtype=tensor.dtype)
    if torch._debug_has_internal_overlap(placed) == 1:
        return tensor
    return placed.copy_(whole).expand(tensor.shape)
