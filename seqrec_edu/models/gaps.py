"""The time between training events, for models that read it."""

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from seqrec_edu.data.split import Split


def training_gaps(model: str, split: Split) -> Int[Tensor, " events"]:
    """Seconds before every training event but each user's first, which has nothing before it.

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
    return gaps
