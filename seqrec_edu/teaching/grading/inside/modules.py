"""A student's module as a function of its parameters: whoever trains it keeps them, and asks for outputs and costs.

``build_mixer(d) -> nn.Module`` cannot cross to the checker, but tensors can. So the module stays where the student's
lines are, without any say over its own training: parameters come with every call, and gradients go back.
"""

import math
import time

import torch
from torch.func import functional_call
from torch.utils._python_dispatch import TorchDispatchMode

MOST_PARAMETERS = 200_000
PRODUCTS = {"mm": 0, "bmm": 0, "addmm": 1, "baddbmm": 1}  # the place of the first factor; its rows times the second


class Held:
    """Holds the module that a function builds; the first argument of a call says what is wanted.

    ``("build", width, seed)`` gives its parameters by name; ``("mix", parameters, x, times, mask, training)`` its
    outputs; ``("count", parameters, x, times, mask)`` the operations of one pass without gradients.
    """

    failure = None  # of a process; there is none here

    def __init__(self, build):
        self.build, self.module = build, None

    def __call__(self, do, *args):
        return {"build": self._build, "mix": self._mix, "count": self._count}[do](*args)

    def again(self):
        """Another one of the same function: nothing is built in it yet."""
        return Held(self.build)

    def close(self):
        """Nothing to end."""

    def processor_seconds(self):
        """What this process has computed so far."""
        return time.process_time()

    def _build(self, width, seed):
        torch.manual_seed(seed)
        module = self.build(width)
        if not isinstance(module, torch.nn.Module):
            raise TypeError(f"expected a torch.nn.Module, got {type(module).__name__}")
        found = {name: value.detach().clone() for name, value in module.named_parameters()}
        size = sum(value.numel() for value in found.values())
        if size > MOST_PARAMETERS:
            raise ValueError(f"the module has {size:,} parameters; {MOST_PARAMETERS:,} are allowed")
        self.module = module
        return found

    def _mix(self, parameters, x, times, mask, training):
        self.module.train(training)
        return functional_call(self.module, parameters, (x, times, mask))

    def _count(self, parameters, x, times, mask):
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)  # a layer in one call would hide what it costs
        try:
            with Operations() as seen:
                self._mix(parameters, x, times, mask, False)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
        return {"operations": seen.operations}


class Operations(TorchDispatchMode):
    """Counts multiply-adds of products, and one operation per number that anything else writes; views are free."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.operations += _operations(
            function, [value for value in _flat([args, kwargs]) if _is_tensor(value)], result
        )
        return result


def _operations(function, inputs, result):
    """Of one call into torch: ``inputs`` are its tensors in order."""
    name = function._overloadpacket._qualified_op_name.removeprefix("aten::")
    outputs = [value for value in _flat(result) if _is_tensor(value)]
    numbers = sum(value.numel() for value in outputs)
    if name in PRODUCTS:
        return inputs[PRODUCTS[name]].numel() * inputs[PRODUCTS[name] + 1].shape[-1]
    if name in ("mv", "addmv", "dot", "vdot"):
        return max(value.numel() for value in inputs)
    if name in ("convolution", "mkldnn_convolution"):
        return numbers * inputs[1][0].numel()
    if name.startswith("_scaled_dot_product"):  # two products and a softmax over the weights
        query, key = inputs[:2]
        return query[..., 0].numel() * key.shape[-2] * (2 * query.shape[-1] + 5)
    places = {value.untyped_storage().data_ptr() for value in inputs}
    if not function._schema.is_mutable and outputs and all(v.untyped_storage().data_ptr() in places for v in outputs):
        return 0
    longest = max([2, *(size for value in outputs for size in value.shape)])
    return numbers * (math.ceil(math.log2(longest)) if "fft" in name or "sort" in name else 1)


def _is_tensor(value):
    return isinstance(value, torch.Tensor)


def _flat(value):
    if isinstance(value, list | tuple):
        return [inner for item in value for inner in _flat(item)]
    return _flat(list(value.values())) if isinstance(value, dict) else [value]
