"""Which device, precision and processes a run uses: lightning-fabric, so that the loop itself need not know."""

from __future__ import annotations

import atexit
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
    """A launched Fabric: one process, or as many as `torchrun` started, or started again after one died.

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
    if 1 < processes == local and int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)):
        _meet_again(fabric.device)
    fabric.launch()
    return fabric


def _meet_again(device: torch.device) -> None:
    """Start the process group that `launch` would, after `torchrun` has restarted the processes of one machine.

    All attempts share one store, where the addresses of the dead still lie: each restart gets keys of its own. Machines
    count their restarts apart, so several could not agree on such keys.
    """
    import torch.distributed as dist

    if dist.is_initialized():
        return
    wait = dist.constants.default_pg_timeout
    store, rank, world = next(dist.rendezvous("env://", timeout=wait))
    dist.init_process_group(
        dist.get_default_backend_for_device(device), timeout=wait, rank=rank, world_size=world,
        store=dist.PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store),
        device_id=None if device.type == "cpu" else device,
    )  # fmt: skip
    atexit.register(_leave)


def _leave() -> None:
    """Leave the group before the process ends.

    NCCL complains of one that is left standing, and the threads of gloo now and then abort a process that ends first:
    one run in twelve of a test that kills the leader.
    """
    import torch.distributed as dist

    if dist.is_initialized():
        dist.destroy_process_group()
