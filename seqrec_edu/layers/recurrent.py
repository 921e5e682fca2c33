from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from seqrec_edu.ops.checks import axis_sizes


class Recurrent(nn.Module):
    """A layer with ``forward(x "b l d", state) -> (y "b l d", state)``, which can therefore be fed one event at a time.

    The state is whatever ``forward`` returns: constant in size, and None before the first event.
    """

    def step(self, state: Any, x: Float[Tensor, "b d"], **of_the_event: Any) -> tuple[Float[Tensor, "b d"], Any]:
        """One event further: ``y, state = layer.step(state, x)``; start with None. Equal to the full pass.

        Further tensors that ``forward`` takes per event are given for this one event, without their axis l. Cost: that
        of one event, however long the history. Errors: ``ShapeError`` where x is not "b d".
        """
        axis_sizes(f"{type(self).__name__}.step", x=(x, "b d"))
        options = {name: v[:, None] if isinstance(v, Tensor) else v for name, v in of_the_event.items()}
        y, state = self(x[:, None], state, **options)
        return y[:, 0], state
