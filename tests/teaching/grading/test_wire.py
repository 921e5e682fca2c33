"""What crosses between two processes arrives as it was, and nothing else arrives."""

import os
import struct

import numpy
import pytest
import torch

from seqrec_edu.teaching.grading.inside.wire import Channel, Opaque, WireError


def through(value, most=1 << 20):
    reading, writing = os.pipe()
    channel = Channel(reading, writing, most)
    channel.send(value)
    try:
        return channel.receive()
    finally:
        channel.close()


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.bfloat16, torch.complex64, torch.int64, torch.bool, torch.uint8]
)
def test_tensors_keep_values_shape_and_layout(dtype):
    base = torch.arange(24).reshape(2, 3, 4).to(dtype)
    for tensor in (base, base.transpose(0, 2), base[:, ::2], base[:1].expand(5, 3, 4), base[0, 0, 0], base[:0]):
        got = through(tensor)
        assert got.dtype == dtype and torch.equal(got, tensor)
        assert got.is_contiguous() == tensor.is_contiguous()


def test_other_values():
    value = {
        "a": [1, 2.5, None, "ü", True, (float("inf"),)],
        "t": torch.float32,
        "g": torch.ones(2, requires_grad=True),
    }
    got = through(value)
    assert got["a"] == value["a"] and got["t"] is torch.float32 and got["g"].requires_grad
    assert isinstance(through(numpy.ones(3)), numpy.ndarray)
    assert through(torch.ones(2, device="meta")).device.type == "meta"


def test_what_does_not_cross_is_named():
    class Bomb:
        def __reduce__(self):
            return os.system, ("false",)

    assert isinstance(through(Bomb()), Opaque) and through(Bomb()).name == "Bomb"
    assert isinstance(through(10**5000), Opaque)
    assert "sparse" in through(torch.ones(2).to_sparse()).name


def test_a_subclass_that_lies_arrives_as_a_plain_tensor():
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return True

    got = through(torch.zeros(3).as_subclass(Liar))
    assert type(got) is torch.Tensor and got.shape == (3,)


def test_sizes_are_capped_on_both_sides():
    with pytest.raises(WireError, match="MiB"):
        through(torch.ones(1000), most=100)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 5000, '{"~":"tensor"}', '{"~":"dtype","name":"x"}', '{"a":1}',
             '{"~":"tensor","dtype":"float32","shape":[-1],"strides":[1],"device":"cpu","grad":false,"bytes":0}',
             '{"~":"tensor","dtype":"float32","shape":[1099511627775],"strides":[1],"device":"cpu","grad":false,"bytes":4}'],
)  # fmt: skip
def test_garbage_is_refused(text):
    reading, writing = os.pipe()
    channel = Channel(reading, writing, 1 << 20)
    os.write(writing, struct.pack("<QI", 4 + len(text), len(text)) + text.encode())
    with pytest.raises(WireError):
        channel.receive()
    os.write(writing, struct.pack("<QI", 1 << 60, 3))
    with pytest.raises(WireError):
        channel.receive()
    channel.close()
