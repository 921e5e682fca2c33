import math
from dataclasses import dataclass, fields
from typing import Any

import torch.nn.functional as F
from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.data.split import Split
from seqrec_edu.layers import (
    OFFICIAL,
    CausalConv,
    FeedForward,
    GapUpdate,
    LogGap,
    SSDConfig,
    SSDLayer,
    TimeQuirks,
    initialise,
    time_aware_ssd,
)
from seqrec_edu.layers.time_aware_ssd import UNITS
from seqrec_edu.models.gaps import training_gaps
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.taps import tap

TIME = ("step", "decay", "off")
MODES = ("corrected", "official")


@dataclass(frozen=True)
class TiM4RecConfig:
    """Sizes, where time acts, and how much of the authors' wiring.

    mode            "corrected", or "official": all quirks at once. One or some of them: set them, in "corrected"
    gap_unit        "second", or "person": gaps are counted in the smallest one of the person so far
                    (``layers.PersonalGap``)
    history_length  l of the parameters per position; read only where there are some (row_norm, mix_positions)
    time_dropout    on the gaps that ``PositionMap`` and ``GapUpdate`` read
    norm_eps        of the norms after the embedding and the SSD, and over rows of gaps; ``gate_norm_eps``: of the gated
                    norm in the SSD. The authors have one number for both
    kaiming_init    convolutions start from normal(0, 2 / (channels · width)) with biases zero
    p2p_residual    the gap update has a gate per position, from an l × l map
    single_layer_residual  a layer that is the only one adds its input too. Off, as in the authors' code (and that of
                    Mamba4Rec): with n_layers = 1 the SSD alone carries everything. Nothing changes with more layers
    The last seven  ``TimeQuirks``, each what the authors' code does otherwise
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 2
    d_state: int = 32
    head_dim: int = 32
    conv_width: int = 4
    expand: int = 2
    chunk_size: int = 64
    dropout: float = 0.2
    time: str = "step"
    mode: str = "corrected"
    gap_unit: str = "second"
    history_length: int = 200
    time_dropout: float = 0.0
    norm_eps: float = 1e-12
    gate_norm_eps: float = 1e-5
    kaiming_init: bool = False
    p2p_residual: bool = False
    single_layer_residual: bool = False
    float32_seconds: bool = False
    raw_seconds: bool = False
    row_norm: bool = False
    pads_in_norm: bool = False
    mix_positions: bool = False
    hardswish: bool = False
    dead_last_update: bool = False

    def __post_init__(self):
        for name, allowed in (("time", TIME), ("mode", MODES)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"TiM4Rec: {name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.gap_unit not in UNITS:
            raise ValueError(f"TiM4Rec: gap_unit must be one of {', '.join(UNITS)}, got {self.gap_unit!r}")
        useless = [name for name in ("time_dropout", "p2p_residual") if getattr(self, name)]
        if not self.quirks.mix_positions and useless and self.time != "off":
            raise ValueError(f"TiM4Rec: {' and '.join(useless)} would change nothing without mix_positions")

    @property
    def quirks(self) -> TimeQuirks:
        """The quirks that are on."""
        if self.mode == "official":
            return OFFICIAL
        return TimeQuirks(**{field.name: getattr(self, field.name) for field in fields(TimeQuirks)})

    @property
    def whole_rows(self) -> bool:
        """Whether gaps are read as rows of exactly ``history_length``, later ones included."""
        return self.time != "off" and not self.quirks.causal


class TiM4Rec(Recommender):
    """State space duality whose steps follow the real time between events.

    ``x = LN(dropout(embedding))``, then per layer ``x = LN(dropout(ssd(x, τ)) + x)`` (a single layer without ``+ x``,
    see ``single_layer_residual``) and a Hardswish feed-forward, with ``τ`` one factor per event and head from the gap
    before the event (``layers.TimeStepMap``). ``time`` says where τ acts:

    * ``"step"``: ``softplus(dt · τ + b)``, on what is kept and what is written: where the authors' code has it;
    * ``"decay"``: ``exp(τ dt A)``, on what is kept only: the formula of the paper, with a τ ≥ 0 that never falls when
      a gap grows (``layers.ForgettingMap``), so that a longer gap never remembers more;
    * ``"off"``: no time, the SSD backbone.

    Corrected against the released code: gaps in int64 seconds on a log scale, standardised over the training events
    and zero at pads, instead of float32 seconds normalised over the padded row; a causal per-event map instead of two
    l × l matrices; SiLU after the convolutions, where theirs falls back to Hardswish. ``mode="official"`` is the
    released code (``layers.TimeQuirks`` says what each part of it does and costs), ``preset`` the settings released
    with it. It is not causal, has no ``step``, and histories are padded to exactly ``history_length`` in the time
    branch. Its size without embeddings, counted from that code, is 138,330 at l = 50 and 290,130 at l = 200, 127,648
    without time. Fan et al. 2024 (arXiv 2409.16182).
    """

    name = "tim4rec"
    causal = True

    def __init__(self, config: TiM4RecConfig):
        super().__init__(config)
        quirks, last = config.quirks, config.n_layers - 1
        self.causal = not config.whole_rows
        self.residual = config.n_layers > 1 or config.single_layer_residual
        self.embedding_norm.eps = config.norm_eps
        ssd = quirks.sizes(_sizes(config))
        self.ssds = nn.ModuleList(SSDLayer(ssd) for _ in range(config.n_layers))
        self.norms = nn.ModuleList(nn.LayerNorm(config.d_model, config.norm_eps) for _ in range(config.n_layers))
        self.feed_forwards = nn.ModuleList(
            FeedForward(config.d_model, config.dropout, "hardswish") for _ in range(config.n_layers)
        )
        if config.time != "off":
            rows, heads = config.history_length, ssd.heads
            self.gap = quirks.gap_scale(rows, config.dropout, config.norm_eps, config.gap_unit)
            self.time_maps = nn.ModuleList(
                quirks.time_map(heads, config.time, rows, config.time_dropout) for _ in range(config.n_layers)
            )
            if quirks.mix_positions:
                self.updates = nn.ModuleList(
                    GapUpdate(rows, config.time_dropout, config.norm_eps, config.p2p_residual)
                    for _ in range(config.n_layers if quirks.dead_last_update else last)
                )
                self.updates[last:].requires_grad_(False)  # nobody reads them: no gradient could ever come
        initialise(self)
        if config.kaiming_init:
            _kaiming(self)

    @property
    def most_events(self) -> int | None:
        return self.config.history_length if self.fills_rows else None

    @property
    def fills_rows(self) -> bool:
        return self.config.whole_rows

    def prepare(self, split: Split) -> None:
        """Take the scale of the gaps from the training events. Errors: as ``training_gaps``, where time is on."""
        if self.config.time == "off":
            return
        gaps = training_gaps("TiM4Rec", split, self.config.gap_unit)
        if isinstance(self.gap, LogGap):
            self.gap.measure(gaps)

    def forward(self, batch: Batch):
        return self._through(batch, None)[0]

    def _advance(self, batch, state):
        if not self.causal:
            raise NotImplementedError(
                "tim4rec reads whole rows of gaps with row_norm or mix_positions (mode official), later events "
                "included: it has no state to step, run the whole history again"
            )
        hidden, carried = self._through(batch, state)
        times = None if self.config.time == "off" else self.gap.carry(batch.time, state and state[0])
        return hidden, (times, carried)

    def _through(self, batch, state):
        x = self.embed(batch.item)
        times, states = (None, None) if state is None else state
        gap, mask = (None, None) if self.config.time == "off" else self._gaps(batch, times)
        carried = []
        for i in range(self.config.n_layers):
            before = None if states is None else states[i]
            y, gap, after = self._mixed(i, x, gap, before, mask)
            y = self.dropout(y)
            x = self.norms[i](y + x if self.residual else y)
            x = self.feed_forwards[i](x)
            carried.append(after)
        return tap("hidden", x, "b l d"), carried

    def _gaps(self, batch, times):
        """Gaps "b l", and the mask of the norms over them (None where pads count)."""
        time, mask = batch.time, batch.mask
        if self.config.whole_rows:
            missing = self.config.history_length - time.shape[1]
            if missing < 0:
                raise ValueError(
                    f"TiM4Rec in this wiring has parameters for {self.config.history_length} positions, the batch "
                    f"holds {time.shape[1]}: gather shorter histories or build it with a larger history_length"
                )
            time, mask = F.pad(time, (0, missing)), F.pad(mask, (0, missing))
        return self.gap(time, mask, times), None if self.config.quirks.pads_in_norm else mask

    def _mixed(self, i, x, gap, state, mask):
        """One SSD layer with its time branch: y, the gaps for the next layer, and the state."""
        if gap is None:
            y, from_ssd = self.ssds[i](x, None if state is None else state[0])
            return y, None, (from_ssd, None)
        last = not self.config.quirks.mix_positions or i == self.config.n_layers - 1
        update = None if last else self.updates[i]
        return time_aware_ssd(
            self.ssds[i], self.time_maps[i], update, x, gap, state, placement=self.config.time, mask=mask
        )

    def unused_parameters(self) -> dict[str, int]:
        """Parameters that are counted but that no output reads, by name: those of the dead last update."""
        dead = f"updates.{self.config.n_layers - 1}."
        return {name: each.numel() for name, each in self.named_parameters() if name.startswith(dead)}

    def settings(self) -> dict[str, Any]:
        """The configuration as plain values, enough to build the model again.

        What belongs to the authors' wiring is named only where it differs from the corrected one, so that a run
        recorded before it could be chosen is still recognised as the same run.
        """
        names = [field.name for field in fields(TiM4RecConfig)]
        corrected = {name: getattr(TiM4RecConfig, name) for name in names[names.index("mode") :]}
        settings = super().settings()
        shown = {name for name, value in settings.items() if corrected.get(name, ...) != value}
        if self.config.whole_rows:
            shown.add("history_length")
        else:
            shown.discard("history_length")  # of training alone: here it decides nothing
        return {name: value for name, value in settings.items() if name in shown}

    @staticmethod
    def preset(name: str) -> dict[str, Any]:
        """A released setting of the authors: ``build("tim4rec", n_items=…, **TiM4Rec.preset("ml-1m"))``.

        "ml-1m", "ml-1m-256" (d = 256), "beauty", "kuairand" and "steam"; as released, "ml-1m-256" and "kuairand" have
        time switched off. Errors: ``ValueError`` naming these.
        """
        return dict(_released(name)[0])

    @staticmethod
    def preset_training(name: str) -> dict[str, Any]:
        """How the authors train it, as fields of ``training.FitSettings``: Adam at a constant rate, nothing clipped."""
        return dict(_released(name)[1])


def _sizes(config: TiM4RecConfig) -> SSDConfig:
    return SSDConfig(
        config.d_model,
        config.d_state,
        config.head_dim,
        config.conv_width,
        config.expand,
        config.chunk_size,
        bias=True,
        norm_eps=config.gate_norm_eps,
    )


def _kaiming(model: nn.Module) -> None:
    """He et al. 2015 (arXiv 1502.01852), as PyTorch counts a depthwise filter in mode fan_out: channels · width."""
    for module in model.modules():
        if isinstance(module, CausalConv):
            nn.init.normal_(module.weight, std=math.sqrt(2 / module.weight.numel()))
            nn.init.zeros_(module.bias)


# The authors' configs: d, n, p, l, dropout, time dropout, eps, time, p2p, kaiming, learning rate, batch, patience.
_RELEASED = {
    "ml-1m": (64, 32, 32, 200, 0.2, 0.2, 1e-12, "step", False, True, 1e-3, 2048, 20),
    "ml-1m-256": (256, 64, 128, 200, 0.2, 0.2, 1e-12, "off", False, True, 1e-3, 512, 20),
    "beauty": (64, 32, 32, 50, 0.4, 0.0, 1e-5, "step", True, False, 1e-3, 2048, 20),
    "kuairand": (64, 32, 32, 50, 0.2, 0.0, 1e-10, "off", False, False, 1e-3, 2048, 10),
    "steam": (64, 32, 32, 50, 0.2, 0.2, 1e-10, "step", False, True, 5e-4, 2048, 20),
}


def _released(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of the model and of training. Patience is one more: see ``models.released.adam``."""
    if name not in _RELEASED:
        raise ValueError(f"TiM4Rec was released with no setting {name!r}; there are {', '.join(_RELEASED)}")
    d, n, p, length, dropout, time_dropout, eps, time, p2p, kaiming, rate, batch, patience = _RELEASED[name]
    model = {
        "mode": "official", "d_model": d, "n_layers": 2, "d_state": n, "head_dim": p, "conv_width": 4, "expand": 2,
        "chunk_size": 32, "history_length": length, "dropout": dropout, "time_dropout": time_dropout, "time": time,
        "norm_eps": eps, "gate_norm_eps": eps, "p2p_residual": p2p, "kaiming_init": kaiming,
    }  # fmt: skip
    training = {
        "objective": "prefix", "history_length": length, "epochs": 300, "batch_size": batch, "learning_rate": rate,
        "weight_decay": 0.0, "warmup": 0.0, "schedule": "constant", "clip": 1e9, "patience": patience + 1, "seed": 2020,
    }  # fmt: skip
    return model, training
