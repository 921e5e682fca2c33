"""How much of a circular filter looks at later events."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import normal

exercise = Exercise(
    "share_ahead",
    title="How far ahead?",
    goal="Say in one number how much of a circular filter reads the future.",
    notebook="08_spectral_filters",
    minutes=10,
    difficulty="medium",
    points=3,
    arguments={"w": normal("l")},
    result="",
    gradients=("w",),
    own=("lens.filters", "ops._spectral_filter"),
    hints=(
        "M[t, s] = w[(t - s) % l]. Lag k stands in l entries of M. In how many of them has it come round the corner?",
        "Above the diagonal s > t: there t - s is negative, and the lag k = t - s + l. For which t is s = t - k + l "
        "below l?",
        "For t < k: lag 0 never looks ahead, lag 1 in one entry, lag k in k of its l entries.",
        "The sum of k · w[k]² over the lags, divided by l times the sum of w[k]².",
    ),
)


@exercise.solution
def share_ahead(w):
    """Σ M[t, s]² over s > t, divided by Σ M[t, s]² over all t and s, where M[t, s] = w[(t - s) % l] is the circulant.

    w "l" (a filter's weight at lag 0, 1, …, l - 1)  ->  a tensor without axes, between 0 and 1,
    in the dtype of w
    """
    square = w**2
    lag = torch.arange(len(w))
    ahead = (lag * square).sum()
    everything = len(w) * square.sum()
    return ahead / everything


@exercise.alternative
def by_the_matrix(w):
    t = torch.arange(len(w))
    M = w[(t[:, None] - t) % len(w)]
    return M.triu(1).square().sum() / M.square().sum()


@exercise.alternative
def row_by_row(w):
    rows = [w.flip(0).roll(t + 1) for t in range(len(w))]
    ahead = sum((row[t + 1 :] ** 2).sum() for t, row in enumerate(rows))
    return ahead / sum((row**2).sum() for row in rows)


@exercise.alternative
def as_a_mean_lag(w):
    weight = w.pow(2) / w.pow(2).sum()
    lag = torch.linspace(0, len(w) - 1, len(w), dtype=w.dtype)
    return weight @ lag / len(w)


@exercise.special("a filter of lag 0 alone, which reads its own event")
def itself(draw):
    return {"w": torch.tensor([2.0, 0, 0, 0, 0], dtype=torch.float64)}


@exercise.special("a filter of the last lag alone, one event ahead")
def next_event(draw):
    return {"w": torch.tensor([0, 0, 0, 0, -0.5], dtype=torch.float64)}


RETURN = "return ahead / everything"
AHEAD = "ahead = (lag * square).sum()"
exercise.slips(
    ("past instead of future", "This is the share below the diagonal, what is behind: above it lag k stands k times.",
     (AHEAD, "ahead = ((len(w) - lag) * square)[1:].sum()")),
    ("past and own event", "This is the share on and below the diagonal: asked for is that above it.",
     (AHEAD, "ahead = ((len(w) - lag) * square).sum()")),
    ("diagonal counted", "The diagonal is counted: an event that reads itself reads nothing later.",
     (AHEAD, "ahead = (lag * square).sum() + len(w) * square[0]")),
    ("one entry too many", "Every lag is counted k + 1 times: lag k has come round the corner in k rows, t < k.",
     ("lag * square", "(lag + 1) * square")),
    ("one entry too few", "Every lag is counted k - 1 times: lag k has come round the corner in k rows, t < k.",
     ("lag * square", "(lag - 1).clamp(min=0) * square")),
    ("not squared", "The weights are added up as they are, and may cancel: asked for are squares.", ("w**2", "w")),
    ("cubed", "The weights are raised to the third power: asked for are squares.", ("w**2", "w**3")),
    ("next event left out", "The entries just above the diagonal are left out: s > t begins with the next event, s = "
     "t + 1.",
     (AHEAD, "ahead = (lag * square).sum() - (len(w) - 1) * square[-1]")),
    ("multiplied by l", "It is multiplied by l instead of divided: every lag stands in l entries of the whole.",
     (RETURN, "return ahead / square.sum() * len(w)")),
    ("sizes instead of squares", "The sizes |w| are added up: asked for are squares.", ("w**2", "w.abs()")),
    ("lag squared with the weight", "The number of entries is squared with the weight: k · w[k]², not (k · w[k])².",
     ("lag * square", "lag**2 * square")),
    ("root taken", "A root is taken of the squares: the share is the quotient of the two sums.",
     (RETURN, "return (ahead / everything).sqrt()")),
    ("not divided by l", "The squares of M are l times those of w: every lag stands in l entries.",
     ("len(w) * square.sum()", "square.sum()")),
    ("divided by l twice", "It is divided by l², the number of entries: each of the l lags stands in l of them, and l "
     "is enough.",
     ("len(w) * square", "len(w) ** 2 * square")),
    ("divided by l - 1", "It is divided by l - 1: every lag stands in l entries of M.",
     ("len(w) * square.sum()", "max(len(w) - 1, 1) * square.sum()")),
    ("not divided at all", "This is the sum above the diagonal: for a share it has to be divided by the sum over all "
     "of M.",
     (RETURN, "return ahead")),
    ("ahead over behind", "What is ahead is divided by the rest, not by everything.",
     (RETURN, "return ahead / (everything - ahead)")),
    ("ahead over the past", "What is ahead is divided by what is behind, without the diagonal: asked for is a share "
     "of everything.",
     (RETURN, "return ahead / (everything - ahead - len(w) * square[0])")),
    ("diagonal left out of everything", "The diagonal is left out of the whole: the share is one of all entries.",
     (RETURN, "return ahead / (everything - len(w) * square[0])")),
    ("share of the entries", "Entries are counted, not their squares: (l - 1) / (2 l) whatever the filter.",
     (RETURN, "return (len(w) - 1) / (2 * len(w)) + 0 * ahead")),
    ("share of the lags", "All lags from 1 on count as ahead, which is so in the first row only: lag k is ahead in k "
     "of its l entries.",
     (AHEAD, "ahead = len(w) * square[1:].sum()")),
    ("half of the lags", "The second half of the lags is taken as the future: lag k is ahead in k of its l entries.",
     (AHEAD, "ahead = len(w) * square[len(w) // 2 + 1 :].sum()")),
    ("last row", "Only the last row is looked at, which has no later event: all l rows count.",
     (RETURN, "return 0 * ahead / everything")),
    ("only the next event", "Only the next event is counted, lag l - 1: everything above the diagonal is ahead.",
     (AHEAD, "ahead = (len(w) - 1) * square[-1]")),
    ("turned round in time", "The lags stand in reverse: w[0] is lag 0, the event itself.",
     ("square = w**2", "square = w.flip(0) ** 2")),
    ("symmetric matrix", "M is filled by |t - s|: then half of it is ahead. On the circle, ahead by 1 is lag l - 1.",
     (RETURN, "same = ((len(w) - lag) * square)[1:].sum()\n    return same / (2 * same + len(w) * square[0])")),
    ("upside down", "The quotient is upside down: what is ahead is divided by everything.",
     (RETURN, "return everything / ahead")),
)  # fmt: skip
