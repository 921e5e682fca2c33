"""From a file or a frame to `Histories`: formats, columns, ids and times, everything checked and reported."""

from seqrec_edu.data.reading.read import read

__all__ = ["read"]
