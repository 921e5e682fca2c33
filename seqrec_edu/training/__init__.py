"""From histories to a model whose numbers can be defended: objectives, `fit`, full ranking, checkpoints, receipts.

run = train_run("mamba4rec", "ml-1m", "runs/first")      # the whole way, resumable, with a receipt
fit(model, split, FitSettings(epochs=5))                 # training alone
evaluate(model, split, "test")                           # measuring alone
"""

from seqrec_edu.training.callbacks import Callback, Progress
from seqrec_edu.training.ceiling import Leaking, against_ceiling, every_position, fresh_users
from seqrec_edu.training.checkpoint import CheckpointError, load_model
from seqrec_edu.training.evaluate import Evaluation, evaluate
from seqrec_edu.training.fit import Diverged, FitResult, fit
from seqrec_edu.training.objectives import NotCausal
from seqrec_edu.training.receipts import BadReceipt, Receipt, compare, make_receipt
from seqrec_edu.training.recommend import recommend
from seqrec_edu.training.record import RunError
from seqrec_edu.training.run import Run, load_run, train_run
from seqrec_edu.training.settings import FitSettings

__all__ = [
    "BadReceipt",
    "Callback",
    "CheckpointError",
    "Diverged",
    "Evaluation",
    "FitResult",
    "FitSettings",
    "Leaking",
    "NotCausal",
    "Progress",
    "Receipt",
    "Run",
    "RunError",
    "against_ceiling",
    "compare",
    "evaluate",
    "every_position",
    "fit",
    "fresh_users",
    "load_model",
    "load_run",
    "make_receipt",
    "recommend",
    "train_run",
]
