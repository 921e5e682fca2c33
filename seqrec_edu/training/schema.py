"""What a whole receipt consists of, and a clear word about one that is not whole."""

from __future__ import annotations

from typing import Any

SCHEMA = 1


class BadReceipt(ValueError):
    """A file or document that is not a whole receipt of this schema."""


_NUMBER, _NONE = (int, float), type(None)
_OPTIONAL = (int, float, _NONE)
_SHAPE: dict[str, Any] = {
    "schema": int,
    "dataset": {"name": str, "hash": str, "users": int, "items": int, "events": int},
    "split": {"protocol": str, "hash": str},
    "protocol": {"objective": str, "ranking": str, "seen": str},
    "model": {"name": str, "settings": dict, "parameters": int},
    "metrics": dict,
    "config": dict,
    "seed": (int, _NONE),
    "seconds": {"fit": _OPTIONAL, "evaluate": _OPTIONAL},
    "peak_memory_mib": {"host": _OPTIONAL, "device": _OPTIONAL},
    "versions": {"python": str, "torch": str, "numpy": str, "seqrec_edu": str},
    "device": str,
    "backends": dict,
    "threads": int,
    "best_epoch": (int, _NONE),
    "epochs": (int, _NONE),
    "created": str,
    "commit": (str, _NONE),
    "notes": str,
}
_PART: dict[str, Any] = {
    "users": int, "targets": int, "sampled": bool, "history_length": int,
    "level": _NUMBER, "resamples": int, "seed": int, "values": dict,
}  # fmt: skip
_VALUE: dict[str, Any] = {"value": _NUMBER, "low": _OPTIONAL, "high": _OPTIONAL}


def check(document: Any, where: str) -> None:
    """Raise BadReceipt unless `document` is a whole receipt of this schema."""
    if not isinstance(document, dict):
        raise BadReceipt(f"{where} is not a receipt: expected one JSON object, got {type(document).__name__}")
    if document.get("schema") != SCHEMA:
        raise BadReceipt(
            f"{where}: expected receipt schema {SCHEMA}, got {document.get('schema', 'none')!r}; "
            "read it with the version of seqrec_edu that wrote it, or run the model again"
        )
    _check_shape(document, _SHAPE, where)
    parts = document["metrics"]
    if not parts or set(parts) - {"valid", "test"}:
        raise BadReceipt(f"{where}: metrics must hold 'valid', 'test' or both, got {', '.join(parts) or 'nothing'}")
    for which, part in parts.items():
        _check_shape(part, _PART, f"{where}: metrics.{which}")
        for name, value in part["values"].items():
            _check_shape(value, _VALUE, f"{where}: metrics.{which}.{name}")
            if any(number is not None and not 0 <= number <= 1 for number in value.values()):
                raise BadReceipt(f"{where}: metrics.{which}.{name} must lie between 0 and 1, got {value}")


def _check_shape(found: Any, shape: Any, where: str) -> None:
    if isinstance(shape, dict):
        if not isinstance(found, dict):
            raise BadReceipt(f"{where}: expected a dictionary with {', '.join(shape)}, got {found!r}")
        missing, unknown = [k for k in shape if k not in found], [str(k) for k in found if k not in shape]
        if missing or unknown:
            raise BadReceipt(
                f"{where}: missing {', '.join(missing) or 'nothing'}; unknown {', '.join(unknown) or 'nothing'}"
            )
        for key, inner in shape.items():
            _check_shape(found[key], inner, f"{where}: {key}")
        return
    kinds = shape if isinstance(shape, tuple) else (shape,)
    # True counts as an int for isinstance, but never is a count.
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        expected = " or ".join("null" if kind is _NONE else kind.__name__ for kind in kinds)
        raise BadReceipt(f"{where}: expected {expected}, got {found!r}")


def no_constant(text: str) -> None:
    raise ValueError(f"{text} stands where a finite number is needed")
