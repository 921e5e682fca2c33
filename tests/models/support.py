"""Small models and made-up histories."""

import torch
import torch.nn.functional as F

from seqrec_edu.data.batches import Batch
from seqrec_edu.models import build

N_ITEMS, LENGTH, NOW = 30, 12, 970_000_000
SIZES = {
    "bert4rec": {"heads": 2, "history_length": LENGTH},
    "echomamba4rec": {"d_state": 4, "history_length": LENGTH},
    "fmlprec": {"history_length": LENGTH},
    "gru4rec": {"hidden": 12},
    "lightsans": {"heads": 2, "interests": 3, "history_length": LENGTH},
    "linrec": {"heads": 2, "history_length": LENGTH},
    "mlsa4rec": {"d_state": 4, "heads": 2, "interests": 3, "attention_dropout": 0.0, "history_length": LENGTH},
    "ssd4rec": {"d_state": 4, "head_dim": 8, "chunk_size": 7},
    "tisasrec": {"heads": 2, "span": 20, "history_length": LENGTH},
}


def small(name, *, loud=True, **settings):
    """A small model in float64. ``loud``: weights far from its small first ones, so that all it reads shows."""
    model = build(name, **({"n_items": N_ITEMS, "d_model": 16, "dropout": 0.0} | SIZES[name] | settings)).double()
    if loud:
        with torch.no_grad():
            for key, parameter in model.named_parameters():
                if "proj" in key or "embedding.weight" in key or key.endswith("weight_ih_l0") or "filter" in key:
                    parameter.mul_(10)
    return model.eval()


def stepped(model, history, first=0):
    """Hidden vectors event by event, the ``first`` ones in one go."""
    found, state = [], None
    with torch.no_grad():
        if first:
            head = Batch(history.item[:, :first], history.time[:, :first], torch.full_like(history.length, first))
            hidden, state = model._advance(head, None)
            found = list(hidden.unbind(1))
        for t in range(first, history.item.shape[1]):
            hidden, state = model.step(state, history.item[:, t], history.time[:, t])
            found.append(hidden)
    return torch.stack(found, dim=1)


def batch(*lengths, l=None, seed=0, fill=0):
    """Right-padded histories of these lengths; ``fill`` is the item that stands at pads."""
    draw = torch.Generator().manual_seed(seed)
    width = max(lengths)
    item = torch.randint(1, N_ITEMS + 1, (len(lengths), width), generator=draw)
    time = NOW + torch.randint(1, 90_000, item.shape, generator=draw).cumsum(1)
    length = torch.tensor(lengths)
    more = (l or width) - width
    mask = torch.arange(width + more) < length[:, None]
    item, time = F.pad(item, (0, more)), F.pad(time, (0, more))
    return Batch(torch.where(mask, item, fill), torch.where(mask, time, fill), length)


def changed(history, event):
    """The same histories with another item at one event."""
    item = history.item.clone()
    item[:, event] = item[:, event] % N_ITEMS + 1
    return Batch(item, history.time, history.length)


def readout(model, history):
    """Hidden vectors at the last events."""
    return model(history)[torch.arange(len(history)), history.length - 1]


def read_from_embedding(model, history):
    """Places of the row that the readout of the first history depends on, pads included where the model adds them."""
    seen = []
    handle = model.embedding_norm.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        out = readout(model, history)[0]
    finally:
        handle.remove()
    draw = torch.randn(out.shape, generator=torch.Generator().manual_seed(3), dtype=out.dtype)
    (gradient,) = torch.autograd.grad((out * draw).sum(), seen[0])
    return (gradient[0].abs().sum(-1) > 1e-12).nonzero().flatten().tolist()


def layer_norm(norm, x):
    """A norm written with its parameters, for formulas by hand."""
    return F.layer_norm(x, x.shape[-1:], norm.weight, norm.bias, norm.eps)


def feed_forward(module, x):
    """``LN(W2 gelu(W1 x) + x)`` from the parameters of a ``FeedForward``."""
    first, second = module.body[0], module.body[3]
    return layer_norm(
        module.norm, F.linear(F.gelu(F.linear(x, first.weight, first.bias)), second.weight, second.bias) + x
    )
