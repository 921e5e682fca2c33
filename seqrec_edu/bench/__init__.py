"""How fast the operations are here, against the ways others write them, and how near to what the machine can do.

Light to import: whatever needs torch runs in processes of its own (``worker.py``), because an allocator can only be
chosen before a process starts, and because peak memory belongs to a process.
"""

from seqrec_edu.bench.settings import OPERATIONS, Settings

__all__ = ["OPERATIONS", "Settings"]
