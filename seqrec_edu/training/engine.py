"""Which device, precision and processes a run uses: lightning-fabric, so that the loop itself need not know."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def pick_device(device: str) -> str:
    """Give "cpu" or "cuda"; "auto" takes cuda where torch finds it. Raises ValueError for others, or one not here."""
    here = torch.cuda.is_available()
    if device not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device must be auto, cpu or cuda, got {device!r}")
    if device == "cuda" and not here:
        raise ValueError("device cuda was asked for, but torch finds none here; `seqrec-edu doctor` says why")
    return ("cuda" if here else "cpu") if device == "auto" else device


def start_engine(device: str, precision: str) -> Fabric:
    """A launched Fabric: one process, or as many as `torchrun` started.

    precision: as in `FitSettings`; "auto" takes bf16 where the GPU has it.
    """
    from lightning_fabric import Fabric  # a second to import, and only training needs it

    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # its greetings, one from every process
    device = pick_device(device)
    if precision == "auto":
        precision = "bf16-mixed" if device == "cuda" and torch.cuda.is_bf16_supported() else "32-true"
    processes = int(os.environ.get("WORLD_SIZE", 1))
    local = int(os.environ.get("LOCAL_WORLD_SIZE", processes))
    fabric = Fabric(
        accelerator=device, devices=local, num_nodes=max(1, processes // local),
        strategy="ddp" if processes > 1 else "auto", precision=precision,
    )  # fmt: skip
    fabric.launch()
    return fabric
