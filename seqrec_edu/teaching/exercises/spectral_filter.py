"""A filter over the whole history, given by its spectrum: every channel convolved in a circle."""

import torch

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import normal, spectrum

exercise = Exercise(
    "spectral_filter",
    title="A learned filter in frequency",
    goal="Filter every channel of a history by a weight per wave, at odd lengths too.",
    notebook="08_spectral_filters",
    minutes=10,
    difficulty="easy",
    points=3,
    arguments={"x": normal("b l d"), "weight": spectrum("f d")},
    result="b l d",
    gradients=("x",),
    own=("ops._spectral_filter", "layers.spectral_filter", "lens.filters"),
    derived={"f": lambda sizes: sizes["l"] // 2 + 1},
    hints=(
        "Three steps: to waves, multiply, back. Time is axis 1 of x, and the waves f stand on the same axis.",
        "torch.fft.rfft(x, dim=1) has l // 2 + 1 waves; weight has the shape f d and fits without a new axis.",
        "The way back must be told l: from l // 2 + 1 waves alone, an odd length cannot be known.",
        "torch.fft.irfft(…, n=x.shape[1], dim=1)",
    ),
)


@exercise.solution
def spectral_filter(x, weight):
    """y = irfft(rfft(x) ⊙ weight) along l, circular: what runs over the end comes in at the front.

    x "b l d", weight complex "f d" with f = l // 2 + 1 waves  ->  y "b l d"
    """
    waves = torch.fft.rfft(x, dim=1)
    filtered = waves * weight
    return torch.fft.irfft(filtered, n=x.shape[1], dim=1)


@exercise.alternative
def as_circulant(x, weight):
    length = x.shape[1]
    response = torch.fft.irfft(weight, n=length, dim=0)
    lag = (torch.arange(length)[:, None] - torch.arange(length)) % length
    return torch.einsum("tsd,bsd->btd", response[lag], x)


@exercise.alternative
def lag_by_lag(x, weight):
    response = torch.fft.irfft(weight, n=x.shape[1], dim=0)
    return sum(response[k] * x.roll(k, 1) for k in range(x.shape[1]))


@exercise.alternative
def with_all_waves(x, weight):
    mirrored = torch.arange((x.shape[1] - 1) // 2, 0, -1)
    full = torch.cat([weight, weight[mirrored].conj()])
    return torch.fft.ifft(torch.fft.fft(x, dim=1) * full, dim=1).real


exercise.slips(
    ("length forgotten on the way back", "irfft is not told l: it returns an even length, so odd histories lose "
                                         "an event.",
     ("n=x.shape[1], ", "")),
    ("waves along d", "The waves are taken along d, the channels: time is axis l.",
     ("rfft(x, dim=1)", "rfft(x, dim=2)"), ("n=x.shape[1], dim=1", "n=x.shape[2], dim=2")),
    ("waves along b", "The waves are taken along b: histories of different people are mixed.",
     ("rfft(x, dim=1)", "rfft(x.transpose(0, 1), n=x.shape[1], dim=1).transpose(0, 1)[:, : weight.shape[0]]")),
    ("the wave's phase lost", "Only the size of weight is used: its phase, the shift in time of every wave, is lost.",
     ("waves * weight", "waves * weight.abs()")),
    ("the imaginary part lost", "Only the real part of weight is used: the filter becomes symmetric in time.",
     ("waves * weight", "waves * weight.real")),
    ("filter turned round in time", "The weight is conjugated: the filter runs backwards, from later events to "
                                    "earlier.",
     ("waves * weight", "waves * weight.conj()")),
    ("scaled twice", "The way there is scaled by 1/√l and the way back by 1/l: one pair of scalings too many.",
     ("rfft(x, dim=1)", "rfft(x, dim=1, norm=\"ortho\")")),
    ("multiplied in time", "The response is multiplied with x event by event: a product of spectra is a "
                           "convolution in time.",
     ("return torch.fft.irfft(filtered, n=x.shape[1], dim=1)", "return x * torch.fft.irfft(weight, "
                                                               "n=x.shape[1], dim=0)")),
    ("waves in the wrong order", "The weights are turned round along f: the slowest wave gets the weight of the "
                                 "fastest.",
     ("waves * weight", "waves * weight.flip(0)")),
    ("the mean left out", "Wave 0, the mean of the history, is dropped.",
     ("filtered = waves * weight", "filtered = waves * weight * (torch.arange(len(weight)) > 0)[:, None]")),
    ("one weight for all channels", "All channels are filtered alike: weight has a column for each channel of axis d.",
     ("waves * weight", "waves * weight[:, :1]")),
    ("linear instead of circular", "The history is padded with zeros first: what runs over the end is lost "
                                   "instead of coming round.",
     ("return torch.fft.irfft(filtered, n=x.shape[1], dim=1)", "l = x.shape[1]\n    response = "
                                                               "torch.fft.irfft(weight, n=l, dim=0)\n    long = "
                                                               "torch.fft.rfft(x, n=2 * l, dim=1) * "
                                                               "torch.fft.rfft(response, n=2 * l, dim=0)\n    "
                                                               "return torch.fft.irfft(long, n=2 * l, dim=1)[:, :l]")),
    ("x added", "x is added to the filtered history: the residual belongs to the layer, not to the filter.",
     ("return torch.fft", "return x + torch.fft")),
    ("no filter", "There and back without multiplying: the weight is not used.", ("waves * weight", "waves")),
)  # fmt: skip
