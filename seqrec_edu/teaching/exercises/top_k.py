"""The list that a recommender shows: the items with the highest scores."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument


def few_levels(draw, sizes):
    """Scores that are often equal, the padding's among the highest."""
    scores = torch.randint(-4, 5, (sizes["u"], sizes["v"]), generator=draw).double() / 2
    scores[:, 0] = 1.5
    return scores


exercise = Exercise(
    "top_k",
    title="The first k",
    goal="Turn scores into a list that is the same every time, and never recommend the padding.",
    notebook="00_start_here",
    minutes=10,
    difficulty="easy",
    points=2,
    arguments={
        "scores": Argument("u v", few_levels),
        "k": Argument("", lambda draw, sizes: torch.tensor(sizes["k"]), "whole"),
    },
    result="u k",
    own=("training.recommend", "training.metrics", "models"),
    least={"v": 6},
    derived={"k": lambda sizes: sizes["v"] // 2},
    hints=(
        "Column 0 belongs to no item. Leave it out before you sort: any number that you write there may still win.",
        "torch.argsort gives places, not scores. In scores[:, 1:], place 0 is item 1.",
        "Equal scores: stable=True keeps the order they came in, and they come in the order of item numbers.",
        "torch.argsort(scores[:, 1:], dim=1, descending=True, stable=True), its first k columns, plus 1.",
    ),
)


@exercise.solution
def top_k(scores, k):
    """The k items with the highest scores, best first; of equal scores the lower item number first.

    scores "u v" (column 0 is padding and never in the list), k a whole number up to v - 1  ->  items "u k"
    """
    items = scores[:, 1:]
    order = torch.argsort(items, dim=1, descending=True, stable=True)
    return order[:, :k] + 1


@exercise.alternative
def user_by_user(scores, k):
    rows = []
    for row in scores.tolist():
        items = sorted(range(1, len(row)), key=lambda item: (-row[item], item))
        rows.append(items[: int(k)])
    return torch.tensor(rows)


@exercise.alternative
def best_again_and_again(scores, k):
    left = scores.clone()
    left[:, 0] = -torch.inf
    found = []
    for _ in range(int(k)):
        best = left.argmax(1)
        found.append(best)
        left[torch.arange(len(left)), best] = -torch.inf
    return torch.stack(found, 1)


@exercise.alternative
def by_a_key_without_ties(scores, k):
    items = scores[:, 1:]
    level = torch.unique(items, return_inverse=True)[1]
    key = level * items.shape[1] - torch.arange(items.shape[1])
    return key.topk(int(k), dim=1).indices + 1


@exercise.special("20 columns of equal scores, where only a stable sort keeps the order")
def indifferent(draw):
    return {"scores": torch.zeros(2, 20, dtype=torch.float64), "k": torch.tensor(10)}


@exercise.special("scores below 0 and k = v - 1, the whole catalogue")
def whole_catalogue(draw):
    return {"scores": -1 - torch.rand(2, 6, generator=draw, dtype=torch.float64), "k": torch.tensor(5)}


exercise.slips(
    ("places instead of items", "The list holds places in scores[:, 1:]: place 0 there is item 1, so 1 is missing.",
     ("order[:, :k] + 1", "order[:, :k]")),
    ("1 taken off", "1 is taken off the places in scores[:, 1:]: place 0 there is item 1, so 1 has to be added.",
     ("order[:, :k] + 1", "order[:, :k] - 1")),
    ("1 added twice", "All item numbers are 1 too large: the places in scores[:, 1:] need 1 more, not 2.",
     ("order[:, :k] + 1", "order[:, :k] + 2")),
    ("padding in the list", "Item 0 is in the list: column 0 is padding and takes no part, whatever its score.",
     ("items = scores[:, 1:]", "items = scores"), ("order[:, :k] + 1", "order[:, :k]")),
    ("padding counted, items moved", "Column 0 is sorted as well and then 1 is added: all numbers are 1 too large.",
     ("items = scores[:, 1:]", "items = scores")),
    ("padding set to 0", "The padding's score is set to 0, which is more than a negative score: leave column 0 out.",
     ("items = scores[:, 1:]", "items = scores.clone()\n    items[:, 0] = 0"), ("order[:, :k] + 1", "order[:, :k]")),
    ("padding set to -1", "The padding's score is set to -1, and scores may be lower than that: leave column 0 out.",
     ("items = scores[:, 1:]", "items = scores.clone()\n    items[:, 0] = -1"), ("order[:, :k] + 1", "order[:, :k]")),
    ("padding level with the lowest", "The padding gets the lowest score, level with an item: leave column 0 out.",
     ("items = scores[:, 1:]", "items = scores.clone()\n    items[:, 0] = items.min()"),
     ("order[:, :k] + 1", "order[:, :k]")),
    ("padding first", "The padding gets the highest score of all: to be left out it would need the lowest.",
     ("items = scores[:, 1:]", "items = scores.clone()\n    items[:, 0] = torch.inf"),
     ("order[:, :k] + 1", "order[:, :k]")),
    ("item 1 left out", "Item 1 is ruled out and the padding is not: the padding is column 0.",
     ("items = scores[:, 1:]", "items = scores.clone()\n    items[:, 1] = -torch.inf"),
     ("order[:, :k] + 1", "order[:, :k]")),
    ("last item left out", "The last column is left out, which is an item: the padding is column 0.",
     ("scores[:, 1:]", "scores[:, :-1]"), ("order[:, :k] + 1", "order[:, :k]")),
    ("padding dropped afterwards", "Column 0 is sorted too and the first place dropped, as if it were the padding's.",
     ("items = scores[:, 1:]", "items = scores"), ("order[:, :k] + 1", "order[:, 1 : k + 1]")),
    ("ties left to topk", "torch.topk promises no order among equal scores: asked for is the lower item first.",
     ("torch.argsort(items, dim=1, descending=True, stable=True)", "torch.topk(items, int(k), dim=1).indices")),
    ("ties left to topk, padding counted", "Item 0 can be in the list, and topk promises no order among equal scores.",
     ("torch.argsort(items, dim=1, descending=True, stable=True)", "torch.topk(scores, int(k), dim=1).indices - 1")),
    ("ties turned round", "Of equal scores the higher item comes first: turning the order round turns ties round.",
     ("items, dim=1, descending=True, stable=True)", "items, dim=1, stable=True).flip(1)")),
    ("lowest score first", "The list begins with the lowest score: descending=True is missing.",
     ("descending=True, ", "")),
    ("best last", "The k items are right, and stand in the list from the last to the best.",
     ("order[:, :k] + 1", "order[:, :k].flip(1) + 1")),
    ("sorted by item number", "The k items are right, but in the order of their numbers: the best comes first.",
     ("order[:, :k] + 1", "order[:, :k].sort(1).values + 1")),
    ("scores instead of items", "The list holds the scores themselves: asked for is which items have them.",
     ("order[:, :k] + 1", "items.gather(1, order[:, :k])")),
    ("best item left out", "The list begins at the second place.", ("order[:, :k]", "order.roll(-1, 1)[:, :k]")),
    ("ranks instead of items", "Sorted twice: these are the places of items 1 to k, not the items at places 1 to k.",
     ("order[:, :k] + 1", "order.argsort(1)[:, :k] + 1")),
    ("one list for all users", "Every user gets the list of the first: each row of scores has its own.",
     ("order[:, :k] + 1", "order[:1, :k].expand(len(scores), -1) + 1")),
    ("whole catalogue", "All items are returned in the right order: asked for are the first k.",
     ("order[:, :k]", "order")),
    ("sorted along the users", "The scores are sorted along u: the items of one user stand along v, axis 1.",
     ("dim=1", "dim=0")),
)  # fmt: skip
