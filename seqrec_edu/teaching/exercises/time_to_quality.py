"""At which second does a learning curve first reach a level?"""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, between


def rising(draw, sizes):
    """Seconds at the end of every epoch."""
    return (0.5 + torch.rand(sizes["l"], generator=draw, dtype=torch.float64)).cumsum(0)


def curve(draw, sizes):
    """A quality that rises from about 0.1 towards 0.5, with ups and downs."""
    t = torch.arange(1, sizes["l"] + 1).double()
    return 0.5 - 0.5 * torch.exp(-t / 4) + 0.15 * (torch.rand(sizes["l"], generator=draw, dtype=torch.float64) - 0.5)


exercise = Exercise(
    "time_to_quality",
    title="Time to quality, between epochs",
    goal="Read a learning curve along a horizontal line, as exactly as its points allow.",
    notebook="11_full_training",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"seconds": Argument("l", rising), "quality": Argument("l", curve), "level": between("", 0.2, 0.35)},
    result="",
    own=("figures", "reproduce"),
    hints=(
        "Find the first epoch i whose quality is at least the level. Is there one? Is it the first?",
        "(quality >= level).nonzero() lists all such epochs, the first of them at [0].",
        "Between epoch i-1 and i the line has covered the share (level - q[i-1]) / (q[i] - q[i-1]) when it reaches "
        "the level.",
        "seconds[i-1] + share · (seconds[i] - seconds[i-1]). The divisor is above 0: q[i-1] < level ≤ q[i].",
    ),
)


@exercise.solution
def time_to_quality(seconds, quality, level):
    """The first second at which the points, joined by straight lines, reach the level.

    The first point is as it is: no line leads there. Never reached: infinity, torch.full_like(level, torch.inf).

    seconds (rising), quality "l": one point per epoch, level a number  ->  a tensor without axes, in the
    dtype of seconds
    """
    reached = quality >= level
    if not reached.any():
        return torch.full_like(level, torch.inf)
    i = int(reached.nonzero()[0])
    if i == 0:
        return seconds[0]
    share = (level - quality[i - 1]) / (quality[i] - quality[i - 1])
    return seconds[i - 1] + share * (seconds[i] - seconds[i - 1])


@exercise.alternative
def piece_by_piece(seconds, quality, level):
    if quality[0] >= level:
        return seconds[0]
    for s0, s1, q0, q1 in zip(seconds, seconds[1:], quality, quality[1:]):  # noqa: B905
        if q0 < level <= q1:
            return (s0 * (q1 - level) + s1 * (level - q0)) / (q1 - q0)
    return torch.tensor(torch.inf)


@exercise.alternative
def all_pieces_at_once(seconds, quality, level):
    before = torch.cat([quality[:1] - 1, quality[:-1]])
    since = torch.cat([seconds[:1], seconds[:-1]])
    share = (level - before) / (quality - before)
    at = since + share * (seconds - since)
    return at.masked_fill((quality < level) | (before >= level), torch.inf).amin()


@exercise.alternative
def by_a_running_best(seconds, quality, level):
    late = int((quality.cummax(0).values < level).sum())
    if late == len(quality):
        return torch.tensor(torch.inf)
    if late == 0:
        return seconds[0].clone()
    low, high = quality[late - 1], quality[late]
    return torch.lerp(seconds[late - 1], seconds[late], (level - low) / (high - low))


def case(seconds, quality, level):
    """Arguments from lists."""
    seconds, quality, level = (torch.tensor(each, dtype=torch.float64) for each in (seconds, quality, level))
    return {"seconds": seconds, "quality": quality, "level": level}


@exercise.special("a level that is never reached")
def never(draw):
    return case([1.0, 2.0, 4.0], [0.1, 0.3, 0.2], 0.5)


@exercise.special("a curve whose first point is above the level")
def at_once(draw):
    return case([2.0, 3.0, 5.0], [0.4, 0.5, 0.45], 0.3)


@exercise.special("a curve that falls below the level again, and rises again")
def falls_again(draw):
    return case([1.0, 2.0, 4.0, 7.0, 8.0], [0.1, 0.4, 0.2, 0.5, 0.3], 0.3)


@exercise.special("a first point above the level, then a fall below it, and a rise")
def above_at_once_and_again(draw):
    return case([1.0, 2.0, 4.0, 5.0], [0.4, 0.1, 0.2, 0.5], 0.3)


@exercise.special("a curve that falls before it rises")
def falls_first(draw):
    return case([1.0, 2.0, 4.0, 5.0], [0.25, 0.1, 0.4, 0.5], 0.3)


@exercise.special("a best epoch that has exactly the level")
def exactly(draw):
    return case([1.0, 3.0, 4.0], [0.1, 0.25, 0.2], 0.25)


@exercise.special("a first point that has exactly the level, and falls")
def exactly_at_once(draw):
    return case([2.0, 3.0, 5.0], [0.3, 0.2, 0.1], 0.3)


@exercise.special("a curve that stands still before it reaches the level")
def flat(draw):
    return case([1.0, 2.0, 3.5], [0.2, 0.2, 0.4], 0.3)


@exercise.special("a curve that stands still on the level")
def flat_on_it(draw):
    return case([1.0, 2.0, 3.5, 5.0], [0.1, 0.3, 0.3, 0.3], 0.3)


@exercise.mistake(
    "a search that needs a sorted curve",
    "searchsorted finds a place among sorted numbers: a curve that falls is not sorted.",
)
def by_searchsorted(seconds, quality, level):
    i = int(torch.searchsorted(quality, level))
    if i == 0:
        return seconds[0]
    if i == len(seconds):
        return torch.full_like(level, torch.inf)
    share = (level - quality[i - 1]) / (quality[i] - quality[i - 1])
    return seconds[i - 1] + share * (seconds[i] - seconds[i - 1])


@exercise.mistake(
    "np.interp of a curve that falls",
    "np.interp asks for a quality that only rises, and knows no never: beyond the ends it returns the end.",
)
def by_interp(seconds, quality, level):
    import numpy as np

    return torch.tensor(np.interp(float(level), quality.numpy(), seconds.numpy()), dtype=seconds.dtype)


LINE = "return seconds[i - 1] + share * (seconds[i] - seconds[i - 1])"
FIRST = "i = int(reached.nonzero()[0])"
exercise.slips(
    ("end of the epoch", "It waits for the end of the epoch: the line reaches the level before it.",
     (LINE, "return seconds[i]")),
    ("epoch before", "It returns the last epoch that is still below the level: the line reaches it later.",
     (LINE, "return seconds[i - 1]")),
    ("middle of the epoch", "It takes the middle of the epoch: where the line meets the level depends on how far q "
     "rose.",
     (LINE, "return (seconds[i - 1] + seconds[i]) / 2")),
    ("nearer epoch", "It takes the epoch whose quality is nearer to the level: asked for is the second in between.",
     (LINE, "return seconds[i - 1] if share < 0.5 else seconds[i]")),
    ("share turned round", "The share is counted from the end of the epoch: near q[i-1] it should be near 0.",
     ("(level - quality[i - 1])", "(quality[i] - level)")),
    ("line from the first point", "The line is drawn from the first point to epoch i: it begins at epoch i - 1.",
     ("share = (level - quality[i - 1]) / (quality[i] - quality[i - 1])",
      "share = (level - quality[0]) / (quality[i] - quality[0])"),
     (LINE, "return seconds[0] + share * (seconds[i] - seconds[0])")),
    ("line from the origin", "The line is drawn from 0 seconds and quality 0: it begins at the point of epoch i - 1.",
     (LINE, "return seconds[i] * level / quality[i]")),
    ("line between the wrong epochs", "The line is drawn from epoch i to i + 1: the level lies between i - 1 and i.",
     ("share = (level", "i = min(i + 1, len(quality) - 1)\n    share = (level")),
    ("line from the best so far", "The line begins at the best epoch so far: neighbours are joined, whatever came "
     "before.",
     ("share = (level - quality[i - 1]) / (quality[i] - quality[i - 1])",
      "best = quality[:i].max()\n    share = (level - best) / (quality[i] - best)")),
    ("seconds of the epoch missing", "Only the seconds within the epoch are returned: those up to epoch i - 1 come "
     "before.",
     (LINE, "return share * (seconds[i] - seconds[i - 1])")),
    ("counted in epochs", "The result is counted in epochs: asked for are seconds.",
     (LINE, "return i - 1 + share"),
     ("return seconds[0]", "return level * 0")),
    ("counted in epochs from 1", "The result is counted in epochs: asked for are seconds.",
     (LINE, "return i + share"),
     ("return seconds[0]", "return level * 0 + 1")),
    ("share multiplied with the whole time", "The share is multiplied with all seconds: it is a share of this epoch's.",
     (LINE, "return share * seconds[i]")),
    ("epoch added whole", "seconds[i] is added in place of the length of the epoch, seconds[i] - seconds[i-1].",
     (LINE, "return seconds[i - 1] + share * seconds[i]")),
    ("not divided by the rise", "The share is not divided by q[i] - q[i-1], the rise of the epoch.",
     (" / (quality[i] - quality[i - 1])", "")),
    ("times the rise", "The share is multiplied by the rise q[i] - q[i-1]: a steeper line needs less of the epoch.",
     (") / (", ") * (")),
    ("level and quality added", "level and q[i-1] are added: how far the line still has to rise is their difference.",
     ("level - quality", "level + quality")),
    ("both qualities added", "q[i] and q[i-1] are added: the rise of the epoch is their difference.",
     ("quality[i] - quality[i - 1]", "quality[i] + quality[i - 1]")),
    ("both seconds added", "seconds[i] and seconds[i-1] are added: the length of the epoch is their difference.",
     ("seconds[i] - seconds[i - 1]", "seconds[i] + seconds[i - 1]")),
    ("share taken off", "The share of the epoch is taken off its beginning: it comes after it.",
     ("seconds[i - 1] + share", "seconds[i - 1] - share")),
    ("share after the epoch", "The share of the epoch is added to its end: it belongs after its beginning, "
     "seconds[i-1].",
     ("seconds[i - 1] + share", "seconds[i] + share")),
    ("last time below, not first time above", "A curve that falls again is counted from its last rise: the first one "
     "counts.",
     (FIRST,
      "i = int((~reached).nonzero()[-1]) + 1 if not reached.all() else 0\n    i = i if i < len(reached) else "
      "int(reached.nonzero()[0])")),
    ("epochs below counted", "The epochs below the level are counted, those after the first crossing too: find the "
     "first above.",
     (FIRST, "i = int((quality < level).sum())")),
    ("last crossing", "The last epoch at the level or above is taken: the first one counts.",
     (FIRST, "i = int(reached.nonzero()[-1])")),
    ("best epoch", "It takes the best epoch: asked for is the first that reaches the level.",
     (FIRST, "i = int(quality.argmax())")),
    ("above instead of at least", "A point that has exactly the level does not count: to reach it is enough, ≥.",
     ("quality >= level", "quality > level")),
    ("below instead of above", "It looks for the first epoch below the level.",
     ("quality >= level", "quality <= level")),
    ("first point never", "A first point above the level is passed over: then the answer is seconds[0].",
     ("if i == 0:",
      "if i == 0 and len(reached) > 1 and reached[1:].any():\n        i = int(reached[1:].nonzero()[0]) + 1\n        "
      "return seconds[i]\n    if i == 0:")),
    ("first point at 0 seconds", "Where the first point has the level already, 0 is returned: it was measured at "
     "seconds[0].",
     ("return seconds[0]", "return level * 0")),
    ("line into the first point", "A line is drawn from 0 seconds and quality 0 to the first point: that one is as it "
     "is.",
     ("return seconds[0]", "return seconds[0] * level / quality[0]")),
    ("first epoch closed round", "At the first point it takes the last one as neighbour, index -1: there the answer "
     "is seconds[0].",
     ("if i == 0:", "if i < 0:")),
    ("never: the last second", "Where the level is never reached, the last second is returned: it says that it was "
     "reached.",
     ("torch.full_like(level, torch.inf)", "seconds[-1]")),
    ("never: 0", "Where the level is never reached, 0 is returned, the best time of all: inf belongs there.",
     ("torch.full_like(level, torch.inf)", "level * 0")),
    ("never: -1", "Where the level is never reached, -1 is returned, which any average takes for a time: inf belongs "
     "there.",
     ("torch.full_like(level, torch.inf)", "level * 0 - 1")),
    ("never: NaN", "Where the level is never reached, NaN is returned: inf says later than anything, and can be "
     "compared.",
     ("torch.inf)", "torch.nan)")),
    ("never: the best epoch", "Where the level is never reached, the best epoch's second is returned: inf belongs "
     "there.",
     ("torch.full_like(level, torch.inf)", "seconds[quality.argmax()]")),
    ("seconds and quality exchanged", "The level is looked for among the seconds: it is one of quality.",
     ("reached = quality", "seconds, quality = quality, seconds\n    reached = quality")),
)  # fmt: skip
