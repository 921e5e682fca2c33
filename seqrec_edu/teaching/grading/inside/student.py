"""A student's process: holds the student's lines and answers calls. There is nothing else in it worth reading.

The checker sends the lines of one question, then inputs; it gets values back, or what went wrong. Whatever the lines
do to this process (patch, exit, loop, search its memory) changes only their own answers.
"""

import contextlib
import os
import random
import socket
import sys
import traceback

import numpy
import torch
import wire

FILE = "<your answer>"
LONGEST = 600
GRAPHS = 64  # calls whose gradients can still be asked for


def enter(path, place):
    """Leave everything behind: environment, folder, network. ``place`` is the empty folder to live in."""
    os.chdir(place)
    os.environ.clear()
    os.environ.update(HOME=place, TMPDIR=place, PATH="/usr/bin:/bin", LANG="C.UTF-8", OMP_NUM_THREADS="1")
    sys.argv[:] = ["answer"]
    sys.path[:] = path
    sys.dont_write_bytecode = True

    def no_network(*args, **kwargs):
        raise PermissionError(wire.REFUSED + "there is no network while an answer is graded")

    for name in ("socket", "create_connection", "create_server", "socketpair", "getaddrinfo", "fromfd"):
        setattr(socket, name, no_network)
    torch.set_num_threads(1)


def serve(channel):
    """Answer until the checker is gone. Every message has an id, and every answer repeats it."""
    channel.send({"ready": True})  # what it took to start counts for nobody
    first = channel.receive()
    loaded, trouble = _load(first["source"], first["name"], first["seed"])
    held = first["answer"] == "module"
    if held and loaded is not None:
        import modules

        loaded = modules.Held(loaded)
    channel.send({"id": first["id"], **({"error": trouble} if trouble else {"ok": True})})
    graphs = {}
    while True:
        try:
            request = channel.receive()
        except wire.WireError:
            return
        most = 1 if held else GRAPHS  # training asks for the gradients of its last call, and of thousands of calls
        answer = _call(loaded, request, graphs, most) if request["do"] == "call" else _pull_back(request, graphs)
        try:
            channel.send({"id": request["id"], **answer})
        except BaseException as error:  # too large, or made so that it cannot be looked at; nothing is sent yet then
            text = str(error) if isinstance(error, wire.WireError) else f"what cannot be sent ({type(error).__name__})"
            channel.send({"id": request["id"], "error": _plain_error("ValueError", f"the answer is {text}")})


def _load(source, name, seed):
    """Run the lines of the question and fetch its function: ``(function, None)`` or ``(None, error)``."""
    torch.manual_seed(seed)
    numpy.random.seed(seed % 2**32)
    random.seed(seed)
    scope = {"__name__": "answer", "__builtins__": __builtins__}
    try:
        exec(compile(source, FILE, "exec"), scope)
    except BaseException as error:
        return None, _error(error, source)
    found = scope.get(name)
    if not callable(found):
        return None, _plain_error("TypeError", f"{name} is no function but a {type(found).__name__}")
    serve.source = source
    return found, None


def _call(function, request, graphs, most):
    """One call. The graph behind the outputs is kept for some calls, for gradients."""
    while len(graphs) >= most:
        del graphs[min(graphs)]
    args, kwargs = request["args"], request["kwargs"]
    inputs = wire.tensors_of([args, kwargs])
    before = [value.detach().clone() for value in inputs]
    torch.set_default_dtype(request["default_dtype"])
    try:
        with torch.set_grad_enabled(request["gradients"]):
            value = function(*args, **kwargs)
        outputs = wire.tensors_of(value)
        edited = {
            str(place): new.detach()
            for place, (new, old) in enumerate(zip(inputs, before, strict=True))
            if new.shape != old.shape or not torch.equal(torch.nan_to_num(new.detach()), torch.nan_to_num(old))
        }
    except BaseException as error:
        return {"error": _error(error, serve.source)}
    graphs[request["id"]] = ([value for value in inputs if value.requires_grad], outputs)
    return {"value": value, "edited": edited}


def _pull_back(request, graphs):
    """Gradients of the inputs that want one, for given gradients of the outputs; None where nothing flows."""
    try:
        inputs, outputs = graphs[request["of"]]
        pairs = [
            (output, gradient)
            for output, gradient in zip(outputs, request["gradients"], strict=True)
            if gradient is not None and output.requires_grad
        ]
        if not pairs or not inputs:
            return {"value": [None] * len(inputs)}
        ends, gradients = zip(*pairs, strict=True)
        return {"value": list(torch.autograd.grad(ends, inputs, gradients, retain_graph=True, allow_unused=True))}
    except BaseException as error:
        return {"error": _error(error, serve.source)}


def _error(error, source):
    """Type, text and the student's own line. The text comes from the student's object: nothing about it is trusted."""
    kind = next((base.__name__ for base in type.mro(type(error)) if base.__module__ == "builtins"), "Exception")
    text = ""
    with contextlib.suppress(BaseException):
        text = str(error)
        text = text[:LONGEST] if type(text) is str else ""
    line = 0
    with contextlib.suppress(BaseException):
        line = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == FILE][-1]
    lines = source.splitlines()
    return _plain_error(kind, text, lines[line - 1].strip()[:120] if 0 < line <= len(lines) else "")


def _plain_error(kind, text, line=""):
    return {"type": kind, "text": text, "line": line}
