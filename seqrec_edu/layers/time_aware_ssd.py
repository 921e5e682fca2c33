"""State space duality that hears the time between events, as corrected here and as TiM4Rec's authors released it."""

from dataclasses import dataclass, replace

from jaxtyping import Bool, Float
from torch import Tensor, nn

from seqrec_edu.layers.ssd import SSDConfig, SSDLayer
from seqrec_edu.layers.time import ForgettingMap, LogGap, PersonalGap, SecondsGap, TimeStepMap
from seqrec_edu.layers.time_official import GapUpdate, PositionMap, RowGap
from seqrec_edu.ops.checks import axis_sizes

PLACEMENTS = ("step", "decay")
UNITS = ("second", "person")


@dataclass(frozen=True)
class TimeQuirks:
    """What the released code of TiM4Rec does otherwise than the corrected form. Each is off by default; all are the
    authors' (arXiv 2409.16182, code of August 2025), none is needed for the idea.

    float32_seconds
        Timestamps become float32 before they are subtracted; RecBole, on which the code stands, stores them so. Cost:
        near today's Unix times float32 moves in steps of 64 or 128 s, so a shorter gap becomes 0 or a whole step.
    raw_seconds
        Gaps go to the network as seconds, without a logarithm. Cost: a pause of weeks makes the deviation, and beside
        it a minute and an hour are one number.
    row_norm
        A norm over the length axis of the row scales the gaps, with a gain and a bias per position (``RowGap``),
        instead of mean and deviation of the training gaps (``LogGap``). Cost: every gap reads the later ones, so that
        neither training at every position nor step-by-step use is left, and the gains tie the model to one length.
    pads_in_norm
        Norms over a row count its pads, and the difference runs on into them. Cost: the first pad holds minus a Unix
        time, and beside that jump all gaps of a short history become one number: what is left is where the padding
        begins. With ``raw_seconds``, adding a constant to all timestamps changes the output. Needs a norm over rows,
        that of ``row_norm`` or that of ``mix_positions``.
    mix_positions
        Two l × l maps per layer mix the gaps of all positions (``PositionMap``), and what they found goes to the next
        layer (``GapUpdate``), instead of a map from each gap by itself (``TimeStepMap``). Cost: O(l²) work and
        parameters, 56 % of the body at l = 200; one length; no causality, so neither training at every position nor
        step-by-step use.
    hardswish
        Convolutions end in Hardswish instead of SiLU unless the number of heads is a multiple of 8. The authors' code
        falls back to it where the fused kernel does not apply, which is in all of their settings. Cost: the network
        changes with the number of heads, and nothing is learned where a sum lies below -3.
    dead_last_update
        The last layer too owns a ``GapUpdate``, whose result nobody reads. Cost: parameters that count but never
        learn, 601 of them at l = 200. Needs ``mix_positions``.
    """

    float32_seconds: bool = False
    raw_seconds: bool = False
    row_norm: bool = False
    pads_in_norm: bool = False
    mix_positions: bool = False
    hardswish: bool = False
    dead_last_update: bool = False

    def __post_init__(self):
        if self.dead_last_update and not self.mix_positions:
            raise ValueError("dead_last_update needs mix_positions: without it no layer hands gaps to the next")
        if self.pads_in_norm and not (self.row_norm or self.mix_positions):
            raise ValueError("pads_in_norm needs row_norm or mix_positions: without them nothing is normed over a row")

    @property
    def causal(self) -> bool:
        """Whether τ at an event reads no later gap. If so, any length goes, and histories can continue."""
        return not (self.row_norm or self.mix_positions)

    def activation(self, heads: int) -> str:
        """What follows the convolutions."""
        return "hardswish" if self.hardswish and heads % 8 else "silu"

    def sizes(self, config: SSDConfig) -> SSDConfig:
        """The sizes of an SSD layer, with the activation that these quirks ask for."""
        return replace(config, activation=self.activation(config.heads)) if self.hardswish else config

    def gap_scale(
        self, history_length: int | None = None, dropout: float = 0.0, eps: float = 1e-12, unit: str = "second"
    ) -> LogGap | RowGap:
        """The module that turns timestamps into the gaps "b l" of the first layer.

        ``unit`` "person" counts in the smallest gap of the person so far (``PersonalGap``), which excludes
        ``raw_seconds`` and ``row_norm``. The other arguments are ``RowGap``'s.
        """
        if unit == "person" and (self.raw_seconds or self.row_norm):
            raise ValueError('unit "person" is another scale than those of raw_seconds and row_norm: choose one')
        if self.row_norm:
            ours = {name: getattr(self, name) for name in ("float32_seconds", "raw_seconds", "pads_in_norm")}
            return RowGap(needed(history_length), dropout, eps, **ours)
        scale = PersonalGap if unit == "person" else SecondsGap if self.raw_seconds else LogGap
        return scale(self.float32_seconds)

    def time_map(
        self, heads: int, placement: str, history_length: int | None = None, dropout: float = 0.0
    ) -> TimeStepMap | ForgettingMap | PositionMap:
        """The module that turns gaps into τ "b l h"; ``ForgettingMap`` for placement "decay". The last two arguments
        are ``PositionMap``'s."""
        if placement not in PLACEMENTS:
            raise ValueError(f"placement of the time factor must be one of {', '.join(PLACEMENTS)}, got {placement!r}")
        if placement == "decay" and self.mix_positions:
            raise ValueError(
                'placement "decay" needs τ ≥ 0, and mix_positions gives negative τ too: choose placement "step", or '
                "leave mix_positions off"
            )
        if placement == "decay":
            return ForgettingMap(heads)
        if not self.mix_positions:
            return TimeStepMap(heads, activation=self.activation(heads))
        return PositionMap(heads, needed(history_length), dropout=dropout, activation=self.activation(heads))


def needed(history_length: int | None) -> int:
    """The one length that rows have."""
    if history_length is None or history_length < 1:
        raise ValueError(
            "row_norm and mix_positions have parameters per position: history_length must say how many, at "
            f"least 1, got {history_length}"
        )
    return history_length


CORRECTED = TimeQuirks()
OFFICIAL = TimeQuirks(*[True] * 7)


class TimeAwareSSDLayer(nn.Module):
    """Mamba-2 whose step or decay follows the time between events: ``SSDLayer`` with a time branch.

    Corrected form (the default): ``τ = TimeStepMap(gap)`` with log gaps from ``LogGap``; causal, any length, O(l), and
    a history can be cut and continued. Official form (``OFFICIAL``, or any one quirk of ``TimeQuirks``):
    ``τ = PositionMap(gap)`` with gaps from ``RowGap``, and ``GapUpdate`` makes the gaps of the next layer.

    ``placement="step"``: ``dt = softplus(dt · τ + b_dt)``, τ acts on what is kept and on what is written, before bias
    and softplus: where the authors' code has it. ``"decay"``: ``exp(τ dt A)``, on what is kept only: the formula of
    their paper, with τ from ``ForgettingMap``, so that a longer gap never remembers more. With τ = 1 both are Mamba-2.

    ``gap`` comes from ``quirks.gap_scale(…)``: "b l" at the first layer, what the layer before returned at the others.
    With ``row_norm`` or ``mix_positions`` its l is exactly ``history_length`` and may exceed that of ``x "b l d"``
    (right padding: no real event reads the rest). Errors: ``ValueError`` on settings that exclude each other,
    ``ShapeError`` on another length. Cost: that of ``SSDLayer`` and O(b·l·h), with ``mix_positions`` O(b·h·l²).
    TiM4Rec, arXiv 2409.16182; Mamba-2, arXiv 2405.21060.
    """

    def __init__(
        self,
        config: SSDConfig,
        quirks: TimeQuirks = CORRECTED,
        *,
        placement: str = "step",
        history_length: int | None = None,
        dropout: float = 0.0,
        eps: float = 1e-12,
        p2p_residual: bool = False,
    ):
        super().__init__()
        if p2p_residual and not quirks.mix_positions:
            raise ValueError("p2p_residual is a form of the gap update, which comes with mix_positions")
        self.placement, self.whole_rows = placement, not quirks.causal
        self.ssd = SSDLayer(quirks.sizes(config))
        self.time_map = quirks.time_map(config.heads, placement, history_length, dropout)
        self.update = None
        if quirks.mix_positions:
            self.update = GapUpdate(needed(history_length), dropout, eps, p2p_residual)

    def forward(
        self,
        x: Float[Tensor, "b l d"],
        gap: Float[Tensor, "b l ..."],
        state: tuple | None = None,
        *,
        mask: Bool[Tensor, "b l"] | None = None,
    ) -> tuple[Float[Tensor, "b l d"], Tensor, tuple]:
        """Returns ``y "b l d"``, the gaps for the next layer, and the state that continues the history (corrected form
        only). ``mask`` keeps pads out of the norm of the updated gaps."""
        events = gap[:, : x.shape[1]] if self.whole_rows else gap
        axis_sizes("TimeAwareSSDLayer", x=(x, "b l d"), gap=(events, "b l" if gap.dim() == 2 else "b l h"))
        return time_aware_ssd(self.ssd, self.time_map, self.update, x, gap, state, placement=self.placement, mask=mask)


def time_aware_ssd(
    ssd: SSDLayer,
    time_map: TimeStepMap | ForgettingMap | PositionMap,
    update: GapUpdate | None,
    x: Float[Tensor, "b l d"],
    gap: Float[Tensor, "b l ..."],
    state: tuple | None = None,
    *,
    placement: str = "step",
    mask: Bool[Tensor, "b l"] | None = None,
) -> tuple[Float[Tensor, "b l d"], Tensor, tuple]:
    """One pass of a ``TimeAwareSSDLayer`` over its parts; ``update=None`` leaves the gaps as they are."""
    from_ssd, from_time = state or (None, None)
    tau, from_time = time_map(gap, from_time)
    y, from_ssd = ssd(x, from_ssd, time_factor=tau[:, : x.shape[1]], placement=placement)
    return y, gap if update is None else update(gap, tau, mask), (from_ssd, from_time)
