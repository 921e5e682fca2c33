"""Attention to r interests into which the history is pooled, pads left out."""

import torch
from einops import einsum

from seqrec_edu.teaching.definition import Exercise
from seqrec_edu.teaching.inputs import mask, normal

exercise = Exercise(
    "low_rank_attention",
    title="Low-rank attention",
    goal="Pool a history into a few interests and attend to these, with every softmax over the right axis.",
    notebook="06_low_rank_attention",
    minutes=20,
    difficulty="medium",
    points=4,
    arguments={
        "q": normal("b l h p"),
        "k": normal("b l h p"),
        "v": normal("b l h p"),
        "pool_k": normal("b l r"),
        "pool_v": normal("b l r"),
        "mask": mask("b l"),
    },
    result="b l h p",
    gradients=("q", "k", "v", "pool_k", "pool_v"),
    own=("ops._low_rank_attention", "ops._attention", "layers.low_rank_attention", "layers.attention"),
    hints=(
        "Two kinds of softmax: pooling shares every interest out over the events (over l), attention shares "
        "every event's weight out over the interests (over r).",
        "Pads take no part in pooling: fill their logits with -inf before the softmax over l.",
        "keys = einsum of the pool's shares b l r with k b l h p to b r h p; values likewise with pool_v and v.",
        "scores = q · keys / √p, softmax over r, times values; then set the rows of pads to 0.",
    ),
)


@exercise.solution
def low_rank_attention(q, k, v, pool_k, pool_v, mask):
    """Pool k and v into r interests by a softmax over the events, then attend to these by a softmax over interests.

    q, k, v "b l h p", pool_k and pool_v "b l r" (logits), mask "b l" (True at events)  ->  "b l h p", 0 at pads
    """
    empty = ~mask[:, :, None]
    share_k = torch.softmax(pool_k.masked_fill(empty, -torch.inf), dim=1)
    share_v = torch.softmax(pool_v.masked_fill(empty, -torch.inf), dim=1)
    keys = einsum(share_k, k, "b l r, b l h p -> b r h p")
    values = einsum(share_v, v, "b l r, b l h p -> b r h p")
    scores = einsum(q, keys, "b l h p, b r h p -> b h l r") / q.shape[3] ** 0.5
    weights = torch.softmax(scores, dim=3)
    y = einsum(weights, values, "b h l r, b r h p -> b l h p")
    return y * mask[:, :, None, None]


@exercise.alternative
def as_dense_matrix(q, k, v, pool_k, pool_v, mask):
    low = torch.finfo(q.dtype).min
    P_k = torch.where(mask.unsqueeze(2), pool_k, low).softmax(1)
    P_v = torch.where(mask.unsqueeze(2), pool_v, low).softmax(1)
    full = torch.einsum("blhp,bshp->bhls", q, k)
    W = torch.softmax(torch.einsum("bhls,bsr->bhlr", full, P_k) * q.shape[-1] ** -0.5, -1)
    M = torch.einsum("bhlr,bsr->bhls", W, P_v)
    return torch.einsum("bhls,bshp->blhp", M, v).where(mask[:, :, None, None], 0)


@exercise.alternative
def history_by_history(q, k, v, pool_k, pool_v, mask):
    rows = []
    for b in range(q.shape[0]):
        real = mask[b]
        keys = torch.tensordot(pool_k[b][real].softmax(0).T, k[b][real], 1).permute(1, 0, 2)
        values = torch.tensordot(pool_v[b][real].softmax(0).T, v[b][real], 1).permute(1, 0, 2)
        scores = q[b].permute(1, 0, 2) @ keys.transpose(1, 2) / q.shape[3] ** 0.5
        rows.append((scores.softmax(2) @ values).permute(1, 0, 2) * real[:, None, None])
    return torch.stack(rows)


@exercise.alternative
def head_by_head_with_exponentials(q, k, v, pool_k, pool_v, mask):
    e_k, e_v = pool_k.exp() * mask[..., None], pool_v.exp() * mask[..., None]
    e_k, e_v = e_k / e_k.sum(1, keepdim=True), e_v / e_v.sum(1, keepdim=True)
    heads = []
    for h in range(q.shape[2]):
        scores = (q[:, :, h] @ (e_k.mT @ k[:, :, h]).mT / q.shape[3] ** 0.5).exp()
        heads.append(scores / scores.sum(2, keepdim=True) @ (e_v.mT @ v[:, :, h]) * mask[..., None])
    return torch.stack(heads, 2)


exercise.slips(
    ("softmax over positions", "The attention's softmax runs over l: every interest shares itself out over the "
                               "events that ask, and rows do not sum to 1. It belongs over r.",
     ("torch.softmax(scores, dim=3)", "torch.softmax(scores, dim=2)")),
    ("pooling over the interests", "The pooling softmax runs over r: every event shares itself out over the "
                                   "interests. It belongs over l.",
     ("share_k = torch.softmax(pool_k.masked_fill(empty, -torch.inf), dim=1)", "share_k = torch.softmax(pool_k, "
                                                                               "dim=2) * ~empty"),
     ("share_v = torch.softmax(pool_v.masked_fill(empty, -torch.inf), dim=1)", "share_v = torch.softmax(pool_v, "
                                                                               "dim=2) * ~empty")),
    ("pads counted", "Pads take part in the pooling: fill their logits with -inf before the softmax over l.",
     ("pool_k.masked_fill(empty, -torch.inf)", "pool_k"), ("pool_v.masked_fill(empty, -torch.inf)", "pool_v")),
    ("pads counted in the keys", "Pads take part in pooling the keys; only the values leave them out.",
     ("pool_k.masked_fill(empty, -torch.inf)", "pool_k")),
    ("pads counted in the values", "Pads take part in pooling the values; only the keys leave them out.",
     ("pool_v.masked_fill(empty, -torch.inf)", "pool_v")),
    ("pads set to 0 before the softmax", "The pads' logits are set to 0: exp(0) is 1, so they still get a "
                                         "share. Fill with -inf.",
     ("pool_k.masked_fill(empty, -torch.inf)", "pool_k.masked_fill(empty, 0)"),
     ("pool_v.masked_fill(empty, -torch.inf)", "pool_v.masked_fill(empty, 0)")),
    ("shares do not sum to 1", "Pads are multiplied by 0 after the softmax: the shares of the events no longer "
                               "sum to 1.",
     ("torch.softmax(pool_k.masked_fill(empty, -torch.inf), dim=1)", "torch.softmax(pool_k, dim=1) * ~empty"),
     ("torch.softmax(pool_v.masked_fill(empty, -torch.inf), dim=1)", "torch.softmax(pool_v, dim=1) * ~empty")),
    ("scale missing", "The scores are not divided by √p, the head width.", (" / q.shape[3] ** 0.5", "")),
    ("scaled by p", "The scores are divided by p, not by √p.", ("q.shape[3] ** 0.5", "q.shape[3]")),
    ("scaled by the model width", "The scores are divided by √(h p), the width of all heads: each head has width p.",
     ("q.shape[3] ** 0.5", "(q.shape[2] * q.shape[3]) ** 0.5")),
    ("one pool for both", "The values are pooled with the keys' shares: pool_v is not used.",
     ("share_v, v,", "share_k, v,")),
    ("pools exchanged", "pool_k pools the values and pool_v the "
                        "keys.", ("share_k, k,", "share_v, k,"), ("share_v, v,", "share_k, v,")),
    ("k used for v", "The keys are pooled where the values belong.", ("share_v, v,", "share_v, k,")),
    ("pads answer", "Pads have a result: their rows should be 0.", (" * mask[:, :, None, None]", "")),
    ("softmax missing", "The scores are used as weights: the softmax over r is missing.",
     ("torch.softmax(scores, dim=3)", "scores")),
    ("full attention", "The events attend to events: nothing is pooled into interests.",
     ("weights = torch.softmax(scores, dim=3)", "full = einsum(q, k, \"b l h p, b s h p -> b h l s\") / "
                                                "q.shape[3] ** 0.5\n    full = "
                                                "torch.softmax(full.masked_fill(~mask[:, None, None, :], "
                                                "-torch.inf), dim=3)"),
     ("einsum(weights, values, \"b h l r, b r h p -> b l h p\")", "einsum(full, v, \"b h l s, b s h p -> b l h p\")")),
)  # fmt: skip
