"""The function that the checker calls: it looks like the student's and asks the student's process.

Values, gradients and in-place edits of arguments cross, so that the instant check's findings stay the same; what the
student's code does to its own process does not.
"""

import builtins
import threading

import torch

from seqrec_edu.teaching.grading.inside.wire import REFUSED, WireError, tensors_of

MEMORY_WORDS = ("can't allocate memory", "not enough memory", "out of memory", "cannot allocate memory")
TICK = 0.1  # seconds between two looks at a process
CPU_SIGNALS = {-24, 152, -9, 137}


class StudentProcessError(RuntimeError):
    """The student's process could not answer: it ended, took too long, or answered with what is no value."""


class Remote:
    """Callable in place of the student's function.

    ``failure`` is None or ``(kind, sentence)``, for what only this side can see: "too slow", "memory", "ended",
    "not allowed". After a failure every further call raises at once.
    """

    def __init__(self, student, name, limits, signature=None, hatch=None):
        self.student, self.limits, self.failure, self._count = student, limits, None, 0
        self._hatch, self._loaded = hatch, None
        self.__name__ = self.__qualname__ = name
        self.__module__, self.__doc__ = "answer", None
        if signature is not None:
            self.__signature__ = signature
        self._asking, self._overdue, self._found = False, False, None
        self._closed = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def load(self, source, seed, answer="function"):
        """Send the lines; raises what they raise. ``answer`` is "module" for a function that makes one."""
        self._loaded = {"source": source, "name": self.__name__, "seed": seed, "answer": answer}
        self._ask(self._loaded)

    def again(self):
        """The same function in a new process that has not been called yet; whoever asks for it closes it."""
        other = Remote(self._hatch(), self.__name__, self.limits, getattr(self, "__signature__", None), self._hatch)
        try:
            other.load(**{key: self._loaded[key] for key in ("source", "seed", "answer")})
        except BaseException:
            other.close()
            raise
        return other

    def processor_seconds(self):
        """What its process has computed so far; None where the system does not say."""
        return self.student.processor_seconds()

    def __call__(self, *args, **kwargs):
        gradients = torch.is_grad_enabled()
        wanting = [value for value in tensors_of([args, kwargs]) if value.requires_grad]
        if gradients and wanting:
            return self._differentiable(args, kwargs, wanting)
        return self._plain(args, kwargs, gradients)[0]

    def _plain(self, args, kwargs, gradients):
        default = torch.get_default_dtype()
        request = {"do": "call", "args": args, "kwargs": kwargs, "gradients": gradients, "default_dtype": default}
        reply = self._ask(request)
        given = tensors_of([args, kwargs])
        for place, changed in reply.get("edited", {}).items():
            with torch.no_grad():
                given[int(place)].data = changed
        return reply["value"], self._count

    def _differentiable(self, args, kwargs, wanting):
        found = {}
        outputs = _Bridge.apply(self, args, kwargs, found, *wanting)
        return _refilled(found["value"], list(outputs))

    def close(self):
        """End the student's process; one that ended by itself may have run out of processor time."""
        if self._closed.is_set():
            return
        self._closed.set()
        itself = self.failure is not None and self.failure[0] == "ended"
        self.student.close(wait=1.0 if itself else 0.0)
        if itself and not self.student.killed and self.student.ended in CPU_SIGNALS:
            self.failure = self._slow()

    def _ask(self, request):
        if self.failure is not None:
            raise StudentProcessError(self.failure[1])
        try:
            self._count += 1
            self._asking = True
            self.student.channel.send(request | {"id": self._count})
            reply = self.student.channel.receive()
        except WireError as error:
            self.failure = self._found or (
                self._slow() if self._overdue else ("ended", f"The function's process {_how(error)}.")
            )
            raise StudentProcessError(self.failure[1]) from None
        except BaseException:  # the check's own time limit: the process is busy, no later answer would belong to it
            self.failure = self._slow()
            self.student.kill()
            raise
        finally:
            self._asking = False
        if type(reply) is not dict or reply.get("id") != self._count or not {"ok", "value", "error"} & set(reply):
            self.failure = ("ended", "The function's process wrote into the grader's channel.")
            self.student.kill()
            raise StudentProcessError(self.failure[1])
        if "error" in reply:
            raise self._as_exception(reply["error"])
        return reply

    def _as_exception(self, error):
        error = error if type(error) is dict else {}
        kind, text, line = (str(error.get(key, "")) for key in ("type", "text", "line"))
        if REFUSED in text:
            reason = text[text.index(REFUSED) :].strip(" >.")
            self.failure = ("not allowed", reason[0].upper() + reason[1:] + (f" (in: {line})" if line else "") + ".")
        elif kind == "MemoryError" or any(word in text for word in MEMORY_WORDS):
            self.failure = ("memory", f"It wanted more than {self.limits.memory_mib} MiB of memory.")
        known = getattr(builtins, kind, None)
        if not (isinstance(known, type) and issubclass(known, Exception)):
            known, text = RuntimeError, f"{kind}: {text}"
        message = text + (f" (in the line: {line})" if line else "")
        try:
            return known(message)
        except TypeError:  # UnicodeDecodeError and its like want more than a text
            return RuntimeError(f"{kind}: {message}")

    def _slow(self):
        return "too slow", f"It was stopped after {self.limits.question_seconds:g} seconds."

    def _watch(self):
        """End it when it has slept, or taken by the clock, too long; computing is counted by the system (jail.limit).

        Time without a call does not count, and on a busy machine neither does waiting for the processor: a grade
        must not depend on what else runs.
        """
        asked = slept = 0.0
        while not self._closed.wait(TICK):
            if self._asking:
                asked += TICK
                slept += TICK * self.student.sleeps()
            if excess := self.student.excess(self.limits):
                self._found = excess
                self.student.kill()
                return
            if slept > self.limits.question_seconds or asked > self.limits.patience * self.limits.question_seconds:
                self._overdue = True
                self.student.kill()
                return


def _how(error):
    text = str(error)
    return "ended before it answered" if "ended" in text or "nobody" in text else f"sent what is no answer ({text})"


class _Bridge(torch.autograd.Function):
    """One call as a node of the checker's graph; backward asks the process that still holds the student's graph."""

    @staticmethod
    def forward(ctx, remote, args, kwargs, found, *wanting):
        found["value"], ctx.call = remote._plain(args, kwargs, True)
        ctx.remote = remote
        outputs = tensors_of(found["value"])
        flows = [value.requires_grad for value in outputs]
        plain = [value.detach() for value in outputs]
        ctx.mark_non_differentiable(*(value for value, flow in zip(plain, flows, strict=True) if not flow))
        ctx.set_materialize_grads(False)
        return tuple(plain)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, *gradients):
        reply = ctx.remote._ask({"do": "pull back", "of": ctx.call, "gradients": list(gradients)})
        return (None, None, None, None, *reply["value"])


def _refilled(value, tensors):
    """``value`` with its tensors replaced, in order, by those that belong to the graph."""
    if isinstance(value, torch.Tensor):
        return tensors.pop(0)
    if type(value) is dict:
        return {key: _refilled(item, tensors) for key, item in value.items()}
    return type(value)(_refilled(item, tensors) for item in value) if type(value) in (list, tuple) else value
