from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from seqrec_edu.data.batches import Batch
from seqrec_edu.layers import (
    BidirectionalConfig,
    BidirectionalMamba,
    Dropout,
    GatedLinearUnit,
    MambaConfig,
    MambaLayer,
    SpectralFilter,
    SpectralFilterConfig,
    initialise,
)
from seqrec_edu.models.recommender import Recommender
from seqrec_edu.models.released import Quirks, Released, adam, but_for, draw_pad, overwrite_steps, whole_rows
from seqrec_edu.taps import tap

FILTERS = ("circular", "causal", "off")
BACKWARD = ("aligned", "reversed", "off")
NORM_EPS = 1e-5  # of the norms after the two Mambas: the authors left PyTorch's here, and wrote 1e-12 elsewhere


@dataclass(frozen=True)
class EchoMamba4RecConfig(Quirks):
    """Sizes, which parts are there, and how much of the authors' wiring.

    history_length  l of the filter, and of whole rows
    filter          "circular", the authors'; "causal", ours: reads no later event; "off"
    backward        "aligned", the authors'; "reversed", ours: not turned round again, so that the last event has read
                    the whole history newest first; "off"
    mode            "corrected", or "official": all six quirks at once. With another filter or backward it is the
                    authors' model with that part changed; a part that is "off" takes its quirk along, the others stay

    The quirks are those of the authors' code (September 2024), off by default:

    pads_in_filter     pads are filtered like events. Cost: what an event becomes depends on how many pads follow it,
                       and a short history is mostly pads
    flip_axis          the backward Mamba reads the row of history_length places from its end. Cost: at the last event,
                       where a recommendation is made, it has read the pads and then that one event
    nested_pairs       n_layers pairs of Mambas in each of n_layers layers. Cost: n_layers² pairs, four with two layers
    random_pad         see ``models.released``; it shows through pads_in_filter, or without a filter through flip_axis
    overwritten_steps  see ``models.released``
    drop_sum           behind the gate the sum with the residual drops out, not the branch alone. Cost: numbers of the
                       event itself are lost as well, on the one way that leads past the gate
    """

    n_items: int
    d_model: int = 64
    n_layers: int = 1
    d_state: int = 32
    conv_width: int = 4
    expand: int = 2
    dropout: float = 0.2
    history_length: int = 200
    filter: str = "circular"
    backward: str = "aligned"
    mode: str = "corrected"
    pads_in_filter: bool = False
    flip_axis: bool = False
    nested_pairs: bool = False
    random_pad: bool = False
    overwritten_steps: bool = False
    drop_sum: bool = False

    def __post_init__(self):
        letting_in = ("flip_axis",) if self.filter == "off" else ("pads_in_filter",)
        self.check("EchoMamba4Rec", {"random_pad": letting_in}, filter=FILTERS, backward=BACKWARD)
        for quirk, part in (("pads_in_filter", "filter"), ("flip_axis", "backward")):
            if getattr(self, quirk) and getattr(self, part) == "off":
                raise ValueError(f'EchoMamba4Rec: {quirk} would change nothing with {part}="off"')

    @property
    def reads_pads(self) -> bool:
        """Whether pads are read, so that there must be as many as the authors have."""
        filtered = self.filter != "off" and self.has("pads_in_filter")
        return filtered or (self.backward != "off" and self.has("flip_axis"))

    @property
    def mamba(self) -> MambaConfig:
        """Sizes of each Mamba."""
        return MambaConfig(self.d_model, self.d_state, self.conv_width, self.expand)


def _as_released(length: int) -> tuple[dict[str, Any], dict[str, Any]]:
    model = {
        "mode": "official", "d_model": 64, "n_layers": 1, "d_state": 32, "conv_width": 4, "expand": 2, "dropout": 0.2,
        "history_length": length,
    }  # fmt: skip
    return model, adam(length, 300, 2048)


class EchoMamba4Rec(Released, Recommender):
    """A filter over the whole history, then one Mamba for each direction, then a gate.

    ``x = LN(dropout(embedding))``, then per layer
    ``x = LN(dropout(filter(x)) + x)`` (``layers.SpectralFilter``: circular, over the length axis);
    ``x = LN(dropout(mamba_f(x)) + x) + LN(dropout(flip(mamba_b(flip(x)))) + x)`` (``layers.BidirectionalMamba``);
    ``u, v = split(W1 x)``, ``x = LN(dropout(W2 (u ⊙ σ(v))) + x)`` (``layers.GatedLinearUnit``).

    Not causal: "past and future" means later events of the history, and the target is never one of them as long as
    each history is asked once, at its end. Corrected against the authors' code: pads are zero for the filter, only the
    real events are turned round, and n_layers counts pairs. Even so, at the last event the backward Mamba has read that
    event only; what it adds there it owes to the filter or to a second layer (``backward="reversed"`` changes that).
    With the causal filter, or none, and without the backward Mamba the model is causal; with none it can ``step``.

    The body has 94,016 parameters at l = 50 and 103,616 at l = 200. The authors' code holds another 62,592, a
    multi-query attention that is built and never called; it is left out here. arXiv 2406.02638.
    """

    name = "echomamba4rec"
    causal = False
    released: ClassVar = {
        "video-games": _as_released(50), "beauty": _as_released(50), "ml-1m": _as_released(200)
    }  # fmt: skip

    def __init__(self, config: EchoMamba4RecConfig):
        super().__init__(config)
        self.causal = config.filter != "circular" and config.backward == "off"
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.n_layers))
        initialise(self)
        self.pad_in_softmax = config.has("random_pad")
        if self.pad_in_softmax:
            draw_pad(self.item_embedding)
        if config.has("overwritten_steps"):
            overwrite_steps(self)

    @property
    def most_events(self) -> int | None:
        return self.config.history_length if self.fills_rows or self.config.filter != "off" else None

    @property
    def fills_rows(self) -> bool:
        return self.config.reads_pads

    def settings(self) -> dict[str, Any]:
        """Without ``drop_sum`` where it is off."""
        return but_for(super().settings(), drop_sum=False)

    def forward(self, batch: Batch):
        return self._through(batch, None)[0]

    def _advance(self, batch, state):
        recurrent = self.config.filter == self.config.backward == "off"
        return self._through(batch, state) if recurrent else super()._advance(batch, state)

    def _through(self, batch, state):
        item, mask = batch.item, batch.mask
        if self.fills_rows:
            item, mask = whole_rows("EchoMamba4Rec", batch, self.config.history_length)
        x, carried = self.embed(item), []
        for i, layer in enumerate(self.layers):
            x, after = layer(x, mask, state and state[i])
            carried.append(after)
        return tap("hidden", x[:, : batch.item.shape[1]], "b l d"), carried


class _Layer(nn.Module):
    def __init__(self, c: EchoMamba4RecConfig):
        super().__init__()
        self.filter = None
        if c.filter != "off":
            pads = "kept" if c.has("pads_in_filter") else "zeroed"
            self.filter = SpectralFilter(
                SpectralFilterConfig(c.d_model, c.history_length, c.dropout, c.filter == "causal", pads)
            )
        self.pairs = nn.ModuleList(_pair(c) for _ in range(c.n_layers if c.has("nested_pairs") else 1))
        self.glu = GatedLinearUnit(c.d_model, c.dropout, drop_sum=c.has("drop_sum"))

    def forward(self, x, mask, state):
        if self.filter is not None:
            x = self.filter(x, mask)
        carried = []
        for i, pair in enumerate(self.pairs):
            if isinstance(pair, _Forward):
                x, after = pair(x, state and state[i])
                carried.append(after)
            else:
                x = pair(x, mask)
        return self.glu(x), carried


def _pair(c: EchoMamba4RecConfig) -> nn.Module:
    if c.backward == "off":
        return _Forward(c)
    flip, realign = "axis" if c.has("flip_axis") else "history", c.backward == "aligned"
    return BidirectionalMamba(BidirectionalConfig(c.mamba, c.dropout, flip, realign), NORM_EPS)


class _Forward(nn.Module):
    """What is left of a pair without its backward half."""

    def __init__(self, c: EchoMamba4RecConfig):
        super().__init__()
        self.mamba = MambaLayer(c.mamba)
        self.norm = nn.LayerNorm(c.d_model, NORM_EPS)
        self.dropout = Dropout(c.dropout)

    def forward(self, x, state):
        y, state = self.mamba(x, state)
        return self.norm(self.dropout(y) + x), state
