"""The time between training events, for models that read it."""

import numpy as np
import torch
from torch import Tensor

from seqrec_edu.data.split import Split


def training_gaps(model: str, split: Split, unit: str = "second") -> Tensor:
    """Seconds, "events", before every training event but each user's first, which has nothing before it. With ``unit``
    "person" as multiples of the user's smallest gap so far, as ``layers.PersonalGap`` counts.

    Errors: ``ValueError`` that names ``model`` where none of them is above 0, so that time says nothing.
    """
    offsets, times = split.histories.offsets, np.asarray(split.histories.times)
    event = np.arange(1, len(times))
    user = split.users_of(event)
    has_gap = (event > offsets[user]) & (event < split.train_end[user])
    gaps = torch.from_numpy(np.diff(times)[has_gap])
    if not (gaps > 0).any():
        raise ValueError(
            f"{model} learns from the time between events, but in {split.histories.name or 'these histories'} no two "
            "training events of a user lie apart: the timestamps are missing or constant. Give every event its own "
            'time in Unix seconds, or train a model that reads none, for instance sasrec, or tim4rec with time="off"'
        )
    return gaps if unit == "second" else gaps / _smallest_so_far(gaps, torch.from_numpy(user[has_gap]))


def _smallest_so_far(gaps: Tensor, user: Tensor) -> Tensor:
    """The smallest gap above 0 of the same user up to each gap, 1 while there is none. Users come one after another:
    each lies lower than all of the one before by a floor of its own, so that one running minimum does for all."""
    none = int(gaps.max()) + 1
    floor = user * (none + 1)
    smallest = (torch.where(gaps > 0, gaps, none) - floor).cummin(0).values + floor
    return smallest.masked_fill(smallest == none, 1)
