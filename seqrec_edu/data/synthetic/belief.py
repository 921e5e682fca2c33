"""The exact distribution of the next item in the shop, in closed form.

With z the hidden kind of a person, h the history, and o(x | h) everything in the mixture that does not depend on z:

    p(x | h)      = o(x | h) + w(h) · Σ_z p(z | h) · taste(x | z)
    p(z | h, x)   ∝ p(z | h) · (o(x | h) + w(h) · taste(x | z))                                       after event x

w(h) is the weight of taste, with the shares of all sources that have nothing to work on yet.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from seqrec_edu.data.synthetic.dials import Dials
from seqrec_edu.data.synthetic.memory import Decay, Memory


def beliefs(
    shop: Dials, items: np.ndarray, moments: np.ndarray, opened: np.ndarray, decay: Decay
) -> Iterator[np.ndarray]:
    """Yield the distribution "u v" before event 0, before event 1, …, and last after all events.

    Args:
        items: "u l", right-padded with 0.
        moments: "u l", what ages are counted in.
        opened: "u l" in [0, 1], how sure it is that an event opened a visit.
        decay: age → weight.
    """
    users, length = items.shape
    memory = Memory(users, shop.genre_of)
    kinds = np.repeat(shop.kind_prior[None], users, axis=0)
    for k in range(length + 1):
        others, weight = _others(shop, memory, opened[:, k - 1] if k else np.ones(users), decay)
        yield others + weight[:, None] * (kinds @ shop.taste_of_kind)
        if k == length:
            return
        item = items[:, k]
        likelihood = others[np.arange(users), item][:, None] + weight[:, None] * shop.taste_of_kind[:, item].T
        likelihood[item == 0] = 1.0  # past the end there is nothing to learn
        kinds = kinds * likelihood
        kinds /= kinds.sum(axis=1, keepdims=True)
        memory.see(item, moments[:, k])


def _others(shop: Dials, memory: Memory, opened: np.ndarray, decay: Decay) -> tuple[np.ndarray, np.ndarray]:
    """All of the mixture but taste, "u v" (a row sums to 1 − weight), and the weight that is left to taste, "u"."""
    row = shop.chain * (
        opened[:, None] * shop.chain_when_opened[memory.item]
        + (1.0 - opened)[:, None] * shop.chain_when_later[memory.item]
    )
    row[:, 1:] += shop.noise / (shop.genre_of.size - 1)

    again, can_repeat = _shares(memory.again(decay))
    row += shop.again * again

    resume, can_resume = _shares(memory.resume(decay))
    last = memory.last_of_genre
    # Genres share no item, so the places written to differ; a genre not met has weight 0 and points at padding.
    places = np.arange(row.shape[0])[:, None, None], shop.next_step[last]
    row[places] += shop.resume * resume[:, :, None] * shop.line_weights[last]

    weight = 1.0 - shop.noise - shop.chain * (memory.item > 0) - shop.again * can_repeat - shop.resume * can_resume
    return row, weight


def _shares(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide each row by its sum; rows without any weight stay 0 and are marked False."""
    total = weights.sum(axis=1)
    possible = total > 0
    return weights / np.where(possible, total, 1.0)[:, None], possible
