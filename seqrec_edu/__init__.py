"""Open every block of Mamba-era sequential recommendation."""

__version__ = "0.1.0"
