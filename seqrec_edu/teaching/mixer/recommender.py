"""The small recommender around a mixer. It is the same for everybody, and whoever scores keeps all of its numbers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from seqrec_edu.teaching.mixer.people import People

WIDTH = 32
STEPS, BATCH = 240, 64
FASTEST, CLIP = 1e-2, 1.0  # learning rate, longest gradient
Numbers = dict[str, Tensor]


class NotFinite(ValueError):
    """A loss or an output that is no number."""


class TooLong(RuntimeError):
    """Training took more of the processor than it may."""


def embeddings(n_items: int, seed: int) -> Numbers:
    """What surrounds the mixer before training: item embeddings "v d", padding first, and a feed-forward layer."""
    draw = torch.Generator().manual_seed(seed % 2**63)

    def normal(*shape: int, scale: float) -> Tensor:
        return torch.randn(*shape, generator=draw) * scale

    return {
        "items": normal(n_items + 1, WIDTH, scale=WIDTH**-0.5),
        "widen": normal(2 * WIDTH, WIDTH, scale=WIDTH**-0.5),
        "narrow": normal(WIDTH, 2 * WIDTH, scale=(2 * WIDTH) ** -0.5),
    }


def hidden(mix: Callable, own: Numbers, mixers: Numbers, item: Tensor, when: Tensor, training: bool) -> Tensor:
    """Hidden states "b l d": h = E[item];  h + mixer(norm h);  h + feed-forward(norm h);  norm."""
    mask = item != 0
    h = own["items"][item] * mask[..., None]
    mixed = mix("mix", mixers, norm(h), when, mask, training)
    h = h + mixed
    h = h + F.linear(F.gelu(F.linear(norm(h), own["widen"])), own["narrow"])
    return norm(h)


def norm(h: Tensor) -> Tensor:
    """Mean 0 and variance 1 over "d"."""
    return F.layer_norm(h, h.shape[-1:])


def train(mix: Callable, mixers: Numbers, people: People, seed: int, seconds: float) -> tuple[Numbers, Numbers]:
    """Learn at every position from ``people``; returns the numbers around the mixer and the mixer's own.

    The seed draws batches and the lengths that histories are cut to, the same for every mixer. Raises NotFinite, and
    TooLong after so many seconds of the processor.
    """
    own = {name: value.requires_grad_() for name, value in embeddings(people.n_items, seed).items()}
    mixers = {name: value.clone().requires_grad_() for name, value in mixers.items()}
    every, began = [*own.values(), *mixers.values()], time.process_time()
    optimiser = torch.optim.Adam(every, lr=FASTEST, betas=(0.9, 0.98))
    draw = torch.Generator().manual_seed((seed + 1) % 2**63)
    for step in range(STEPS):
        for group in optimiser.param_groups:
            group["lr"] = FASTEST * min(1.0, (step + 1) / 20) * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        optimiser.zero_grad()
        loss = _loss(mix, own, mixers, people, draw)
        loss.backward()
        gradients = torch.nn.utils.clip_grad_norm_(every, CLIP)
        if not (torch.isfinite(loss.detach()) and torch.isfinite(gradients)):
            raise NotFinite(f"the loss or a gradient was no finite number at step {step + 1} of {STEPS}")
        if time.process_time() - began > seconds:
            raise TooLong(f"training took more than {seconds:g} seconds at step {step + 1} of {STEPS}")
        optimiser.step()
    return tuple({name: value.detach() for name, value in values.items()} for values in (own, mixers))


def _loss(mix: Callable, own: Numbers, mixers: Numbers, people: People, draw: torch.Generator) -> Tensor:
    """Cross entropy of the next item at every position of some people, whose histories end early, each elsewhere."""
    l = people.items.shape[1]
    rows = torch.randint(len(people.items), (BATCH,), generator=draw)
    length = torch.randint(l // 2, l + 1, (BATCH,), generator=draw)
    asked = torch.arange(1, l) < length[:, None]
    item, when, target = (
        torch.where(asked, values, 0)
        for values in (people.items[rows, :-1], people.times[rows, :-1], people.items[rows, 1:])
    )
    states = hidden(mix, own, mixers, item, when, True)[asked]
    return F.cross_entropy(states @ own["items"][1:].T, target[asked] - 1)


def scores(mix: Callable, own: Numbers, mixers: Numbers, people: People) -> Tensor:
    """Scores "u v" of all items after the last event that is read of everybody who is asked. Raises NotFinite."""
    with torch.no_grad():
        states = hidden(mix, own, mixers, people.read_items, people.read_times, False)
        last = states[torch.arange(len(states)), people.length - 1]
        if not torch.isfinite(last).all():
            raise NotFinite("an output after training is no finite number")
        return last @ own["items"].T
