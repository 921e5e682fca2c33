"""Where datasets come from: the registry (`*.toml`), verified downloads, local mirrors, converters, and git clones."""

from seqrec_edu.data.sources.load import add, load
from seqrec_edu.data.sources.registry import Dataset, UnknownDataset, datasets

__all__ = ["Dataset", "UnknownDataset", "add", "datasets", "load"]
