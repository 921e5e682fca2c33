"""Gaps between events on a scale a network can use: the corrected reading of TiM4Rec's time branch."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import Argument, between, mask

NOW = 1_700_000_000


def times(draw, sizes):
    """Unix seconds that rise along l; some gaps are 0, some a second, some months."""
    scale = 10 ** (7 * torch.rand(sizes["b"], sizes["l"], generator=draw, dtype=torch.float64))
    gap = (scale * torch.rand(sizes["b"], sizes["l"], generator=draw, dtype=torch.float64)).long()
    return NOW + gap.cumsum(1)


exercise = Exercise(
    "time_gaps",
    title="Gaps, not dates",
    goal="Turn timestamps into standardised log gaps without losing a second and without letting pads in.",
    notebook="07_time_aware_masks",
    minutes=15,
    difficulty="medium",
    points=3,
    arguments={
        "time": Argument("b l", times, "whole"),
        "mask": mask("b l"),
        "mean": between("", 3, 8),
        "std": between("", 0.5, 3),
    },
    result="b l",
    own=("layers.time", "layers.time_official"),
    tolerance=10.0,
    hints=(
        "The gap of event l is time[l] - time[l-1], and 0 at the first event: differences first, everything "
        "else after.",
        "Take differences in whole seconds. A float32 Unix time knows 64 to 128 seconds at best.",
        "(log1p(gap) - mean) / std is not 0 for a pad: set pads to 0 at the end.",
        "log1p of a pad's jump back to 0 is NaN, and NaN · 0 is NaN: use masked_fill or where, not a product.",
    ),
)


@exercise.solution
def time_gaps(time, mask, mean, std):
    """(log(1 + seconds since the event before) - mean) / std; the first event has gap 0; pads are 0 in the result.

    time int64 "b l" (Unix seconds), mask "b l" (True at events), mean and std numbers  ->  "b l" in mean's dtype
    """
    gap = torch.zeros_like(time)
    gap[:, 1:] = time[:, 1:] - time[:, :-1]
    logs = torch.log1p(gap.to(mean.dtype))
    scaled = (logs - mean) / std
    return scaled.masked_fill(~mask, 0)


@exercise.alternative
def with_diff(time, mask, mean, std):
    gap = torch.diff(time, dim=1, prepend=time[:, :1]).to(mean.dtype)
    return torch.where(mask, (gap.log1p() - mean) / std, 0)


@exercise.alternative
def event_by_event(time, mask, mean, std):
    result = torch.zeros(time.shape, dtype=mean.dtype)
    for b in range(time.shape[0]):
        for t in range(time.shape[1]):
            if mask[b, t]:
                gap = time[b, t] - time[b, t - 1] if t else time.new_zeros(())
                result[b, t] = (torch.log1p(gap.to(mean.dtype)) - mean) / std
    return result


@exercise.alternative
def only_the_events(time, mask, mean, std):
    before = torch.cat([time[:, :1], time[:, :-1]], 1)
    result = mean.new_zeros(time.shape)
    result[mask] = torch.log((time - before)[mask].to(mean.dtype) + 1).sub(mean).div(std)
    return result


@exercise.special("pads whose time is 0")
def padded_with_zero(draw):
    sizes = {"b": 3, "l": 6}
    real = torch.arange(6) < torch.tensor([[4], [1], [6]])
    number = torch.tensor(5.0, dtype=torch.float64)
    return {"time": times(draw, sizes) * real, "mask": real, "mean": number, "std": number / 2}


@exercise.special("a second after most of a year")
def long_pause(draw):
    time = NOW + torch.tensor([[0, 20_000_001, 1, 20_000_003]]).cumsum(1)
    number = torch.tensor(5.0, dtype=torch.float64)
    return {"time": time, "mask": torch.ones(1, 4, dtype=torch.bool), "mean": number, "std": number / 2}


exercise.slips(
    ("gaps from float32 times", "The times are float32 before they are subtracted: at today's dates that is 128 "
                                "seconds coarse.",
     ("gap = torch.zeros_like(time)", "time = time.float()\n    gap = torch.zeros_like(time)")),
    ("pads not set to 0", "The pads have a value in the result: they should be 0 there.",
     ("return scaled.masked_fill(~mask, 0)", "return scaled")),
    ("pad jump in the logarithm", "The jump at the first pad goes through the logarithm: where the time falls "
                                  "back to 0, NaN comes out.",
     ("return scaled.masked_fill(~mask, 0)", "return scaled * mask")),
    ("mask before the differences", "The pads are set to 0 before the differences are taken: the first pad gets "
                                    "a jump over all of history.",
     ("    gap = torch.zeros_like(time)", "    time = time * mask\n    gap = torch.zeros_like(time)"),
     ("gap.to(", "gap.abs().to("), ("return scaled.masked_fill(~mask, 0)", "return scaled")),
    ("gap to the next event", "The gap is that to the next event: it stands one place early and reads the future.",
     ("gap[:, 1:] = time", "gap[:, :-1] = time")),
    ("gap since the first event", "The time since the first event is taken, not that since the event before.",
     ("time[:, 1:] - time[:, :-1]", "time[:, 1:] - time[:, :1]")),
    ("first event with its date", "The first event's gap is its date: there is no event before it, and its gap is 0.",
     ("gap = torch.zeros_like(time)", "gap = time.clone()")),
    ("logarithm missing", "The seconds are standardised as they are: the logarithm is missing, and one long gap "
                          "outweighs the rest.",
     ("torch.log1p(gap.to(mean.dtype))", "gap.to(mean.dtype)")),
    ("log without 1 +", "log(gap) instead of log(1 + gap): a gap of 0 seconds gives minus infinity.",
     ("torch.log1p(gap", "torch.log(gap")),
    ("not standardised", "The mean is taken off, but the result is not divided by std.", (" / std", "")),
    ("mean not taken off", "The result is divided by std, but the mean is not taken off.", ("logs - mean", "logs")),
    ("scaled by the batch itself", "Mean and std of this batch are used instead of those given: the result "
                                   "depends on who else is in it.",
     ("(logs - mean) / std", "(logs - logs.mean()) / logs.std()")),
    ("in days", "The gaps are in days: the mean and std given are those of log seconds.",
     ("gap.to(mean.dtype)", "gap.to(mean.dtype) / 86400")),
    ("mask inverted", "The mask is the wrong way round: True stands at real events.",
     ("scaled.masked_fill(~mask, 0)", "scaled.masked_fill(mask, 0)")),
)  # fmt: skip
