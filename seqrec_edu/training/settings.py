import math
from dataclasses import dataclass

OBJECTIVES = ("every-position", "prefix", "shared-prefix", "cloze")
SCHEDULES = ("cosine", "constant")
PRECISIONS = ("auto", "32-true", "bf16-mixed")


@dataclass(frozen=True)
class FitSettings:
    """Everything that decides the outcome of a training run, besides model and data.

    objective        "every-position": each event predicts the next one, causal models only;
                     "prefix": one target per history;
                     "shared-prefix": the same targets, prefixes that begin alike in one pass, causal models only;
                     "cloze": events that were blanked out are filled in, only models with a mask token
    history_length   events a model sees at most
    batch_size       targets per step, over all processes together. A prefix holds one, a window of l events l - 1,
                     and counts as l - 1 too where only some of them are blanked out.
                     Equal batches let every target weigh alike: of windows of unequal length, a batch of a fixed
                     number would give the targets in short histories many times the weight of those in long ones.
    learning_rate    peak, in AdamW; reached after ``warmup`` epochs, then held or lowered along a cosine to zero
    weight_decay     on matrices only: not on embeddings, biases, norms and state-space parameters
    clip             largest gradient norm
    patience         epochs without a better validation NDCG@10 before stopping
    validate_every   epochs between validations
    seed             shuffling, windows, blanks and dropout: the draws of a step depend on (seed, epoch, step) alone
    precision        "32-true", "bf16-mixed", or "auto": bf16 where the GPU has it, 32 elsewhere
    """

    objective: str = "every-position"
    history_length: int = 200
    epochs: int = 50
    batch_size: int = 1024
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    warmup: float = 1.0
    schedule: str = "cosine"
    clip: float = 1.0
    patience: int = 10
    validate_every: int = 1
    seed: int = 0
    precision: str = "auto"

    def __post_init__(self):
        for name, allowed in (("objective", OBJECTIVES), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        for name, least in (
            ("history_length", 2),
            ("epochs", 1),
            ("batch_size", 1),
            ("patience", 1),
            ("validate_every", 1),
        ):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        for name in ("learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("weight_decay", "warmup", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        for name in ("learning_rate", "clip", "weight_decay", "warmup"):
            if not math.isfinite(getattr(self, name)):
                hint = " (1e9 clips nothing)" if name == "clip" else ""
                raise ValueError(f"{name} must be finite, got {getattr(self, name)}{hint}")
        if self.seed >= 2**63:
            raise ValueError(f"seed must be below 2^63, got {self.seed}")
