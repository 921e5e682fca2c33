"""Calling a function that nobody has read: errors, endless loops, changed arguments, borrowed answers become facts."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import io
import linecache
import random
import re
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

PACKAGE = Path(__file__).resolve().parents[1]
TORCH = Path(torch.__file__).resolve().parent
AUTOGRAD = ("torch.autograd.__init__", "torch.autograd.functional", "torch._functorch")
AGAIN = 0.05  # seconds after which a loop that swallowed the interruption is interrupted again
LONGEST = 300  # characters of an error's message that are shown


class TooSlow(BaseException):
    """Raised inside a function whose time is up. No Exception, so that ``except Exception`` does not swallow it."""


@dataclass(frozen=True)
class Outcome:
    """What one call did: a value, or an error with the learner's own line; arguments it changed; what it borrowed."""

    value: object = None
    error: BaseException | None = None
    line: str = ""
    changed: tuple[str, ...] = ()
    borrowed: tuple[str, ...] = ()
    disturbed: str = ""
    slow: bool = False

    @property
    def message(self) -> str:
        """The error in one line, without addresses in memory."""
        if self.error is None:
            return ""
        try:
            text = str(self.error)
        except BaseException:  # an error may define its own text, and fail at it
            text = "its text cannot be shown"
        text = re.sub(r"0x[0-9a-fA-F]{4,}", "0x…", " ".join(text.split()))
        text = text if len(text) <= LONGEST else text[:LONGEST] + " …"
        return f"{type(self.error).__name__}: {text}" if text else type(self.error).__name__


def call(function: Callable, values: dict[str, Tensor], own: tuple[str, ...] = (), seconds: float = 5.0) -> Outcome:
    """Call with the values in their order. Whatever the function raises is returned, not raised; only a keyboard
    interrupt gets through. What it prints is held back, and global settings are put back."""
    before = {name: value.detach().clone() for name, value in values.items()}
    borrowed: list[str] = []
    value, error, slow = None, None, False
    with settings_restored() as disturbed, contextlib.redirect_stdout(_Silence()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with watched(own, borrowed):
                value = limited(lambda: function(*values.values()), seconds)
        except TooSlow:
            slow = True
        except KeyboardInterrupt:
            raise
        except BaseException as raised:  # SystemExit too
            error = raised
    changed = tuple(name for name, old in before.items() if not _equal(old, values[name]))
    line = learners_line(function, error) if error is not None else ""
    return Outcome(value, error, line, changed, tuple(dict.fromkeys(borrowed)), "".join(disturbed), slow)


def _equal(old: Tensor, new: Tensor) -> bool:
    """Whether an argument is what it was, NaN and infinity included."""
    if new.shape != old.shape or new.dtype != old.dtype:
        return False
    with torch.no_grad():
        return bool(torch.all((new == old) | ((new != new) & (old != old))))


class _Silence(io.TextIOBase):
    """Takes everything and keeps nothing: a print in a loop may say gigabytes."""

    def write(self, text: str) -> int:
        return len(text)


# Global state.


@contextlib.contextmanager
def settings_restored() -> Iterator[list[str]]:
    """Put back random generators, default dtype and grad mode; the list says which setting had been changed."""
    found: list[str] = []
    numbers = torch.get_rng_state(), np.random.get_state(), random.getstate()
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    try:
        yield found
    finally:
        if torch.get_default_dtype() != dtype:
            found.append("the default dtype of torch")
            torch.set_default_dtype(dtype)
        if torch.is_grad_enabled() != gradients:
            found.append("torch's grad mode")
            torch.set_grad_enabled(gradients)
        torch.set_rng_state(numbers[0])
        np.random.set_state(numbers[1])
        random.setstate(numbers[2])


# Time.


def limited(run: Callable, seconds: float):
    """``run()``, with ``TooSlow`` raised inside it when the time is up.

    In the main thread an alarm interrupts it; elsewhere, and where there are no alarms, it runs in a thread of its
    own that gets the exception. Both interrupt Python code only: one long call into C ends when it ends.
    """
    if hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread():
        return _with_alarm(run, seconds)
    return _in_thread(run, seconds)


def _with_alarm(run: Callable, seconds: float):
    def ring(*_):
        raise TooSlow

    handler = signal.signal(signal.SIGALRM, ring)
    began = time.monotonic()
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        return run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # somebody else's alarm goes on where it was
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - began), 1e-3), interval)


def _in_thread(run: Callable, seconds: float):
    found: dict[str, object] = {}
    grad, watching = torch.is_grad_enabled(), sys.getprofile()

    def work():
        torch.set_grad_enabled(grad)  # both belong to a thread
        sys.setprofile(watching)
        try:
            found["value"] = run()
        except BaseException as error:
            found["error"] = error
        finally:
            sys.setprofile(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    late = time.monotonic() + 1
    while thread.is_alive() and time.monotonic() < late:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(TooSlow))
        thread.join(AGAIN)
    if thread.is_alive():
        raise TooSlow
    if "error" in found:
        raise found["error"]
    return found["value"]


# Borrowed answers.


@contextlib.contextmanager
def watched(own: tuple[str, ...], borrowed: list[str]) -> Iterator[None]:
    """Note every call into the modules that hold this very thing, whatever name it goes by.

    The interpreter reports each Python function that is entered; its file says where it comes from. So an alias, a
    partial or a wrapper makes no difference.
    """
    folders = forbidden(own)
    before = sys.getprofile()

    def note(frame, event, _):
        if event == "call":
            file = frame.f_code.co_filename
            if file.startswith(folders):
                borrowed.append(named(file, frame.f_code.co_name))

    sys.setprofile(note)
    try:
        yield
        if sys.getprofile() is not note:
            borrowed.append("something that stops the watch over borrowed answers")
    finally:
        sys.setprofile(before)


@functools.cache
def forbidden(own: tuple[str, ...]) -> tuple[str, ...]:
    """Where the files of these modules begin, and those of all solutions."""
    paths = [str((TORCH.parent if module in AUTOGRAD else PACKAGE).joinpath(*module.split("."))) for module in own]
    solutions = str(PACKAGE / "teaching" / "exercises")
    return tuple(end for path in [*paths, solutions] for end in (path + "/", path + "\\", path + ".py"))


def is_borrowed(function: Callable, own: tuple[str, ...]) -> str:
    """Name of the package's function that ``function`` is, also inside partials and decorators; "" if it is none."""
    for _ in range(20):
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        if code is not None and code.co_filename.startswith(forbidden(own)):
            return named(code.co_filename, code.co_name)
        inner = getattr(function, "__wrapped__", None) or (
            function.func if isinstance(function, functools.partial) else None
        )
        if inner is None:
            return ""
        function = inner
    return ""


def named(file: str, function: str) -> str:
    """``ops.ssd`` for a function in that operation's folder."""
    if TORCH in Path(file).parents:
        return "torch.autograd"
    parts = Path(file).relative_to(PACKAGE).with_suffix("").parts
    if parts[0] == "teaching":
        return "the solution of the exercise"
    if parts[0] == "ops":
        return f"ops.{parts[1].lstrip('_')}"
    return f"{'.'.join(parts)}.{function}"


# Errors.


def learners_line(function: Callable, error: BaseException) -> str:
    """The last line of the learner's own code on the way to the error: ``line 4: y = x @ B``."""
    code = getattr(function, "__code__", None)
    if code is None:
        return ""
    found, trace = "", error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code.co_filename == code.co_filename:
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            number = trace.tb_lineno - frame.f_code.co_firstlineno + 1
            where = f"line {number}" if frame.f_code is code else f"line {number} of {frame.f_code.co_name}"
            found = f"{where}: {text}" if text else where
        trace = trace.tb_next
    return found
