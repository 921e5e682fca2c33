"""A process that has imported torch once and makes a student's process in milliseconds, by forking.

It never sees a solution, an answer or another student: it gets file descriptors, and the talk goes on between the
checker and the new process. Every student's process has a keeper that waits for it and ends it, with everything it
started, when the checker is gone. Where there is no fork, ``alone`` is one student's process, started from nothing.
"""

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
import tempfile

import jail
import student
import torch
import wire

COMMAND_BYTES = 1 << 16


def main(command_fd, options):
    """Serve on a socket of packets until every holder of its other end is gone."""
    commands = socket.socket(fileno=command_fd)
    held = jail.wall_off(options["hidden"], options["shown"], options["level"])
    for name in options["preload"]:
        with contextlib.suppress(ImportError):
            __import__(name)
    _warm_up()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # keepers are reaped by the system
    while True:
        text, fds, _, _ = socket.recv_fds(commands, COMMAND_BYTES, 3)
        if not text:
            return
        if os.fork() == 0:
            commands.close()
            with contextlib.suppress(BaseException):
                _keep(json.loads(text), fds, held, options)
            os._exit(1)
        for fd in fds:
            os.close(fd)


def _warm_up():
    """What torch does at its first use, done once for all: the first backward pass imports half a second of it."""
    x = torch.ones(2, 3, requires_grad=True)
    y = (x @ x.T).exp().cumsum(0)
    torch.autograd.grad(y, x, torch.ones_like(y))


def _keep(limits, fds, held, options):
    """The keeper: starts the student's process in namespaces of its own, reports, waits, cleans up."""
    talk, status, output = fds
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    spaced = False
    if "hidden folders" in held:
        with contextlib.suppress(OSError):
            jail.unshare(jail.NEW_PIDS)
            spaced = True
    user = limits["user"] if os.geteuid() == 0 and "user namespace" not in held else None
    if user is not None and not spaced and not _readable_to_others(options["shown"]):
        user = None  # better its own libraries than its own user
    place = None if spaced else tempfile.mkdtemp(prefix="answer_")
    child = os.fork()
    if child == 0:
        os.close(status)
        try:
            (_first if spaced else _student)(limits, talk, output, user, options, place)
        finally:
            os._exit(1)
    os.close(talk)
    os.close(output)
    held = held + ["own processes"] * spaced + ["own user"] * (user is not None)
    os.write(status, json.dumps({"pid": child, "held": held}).encode() + b"\n")
    ended = _watch(child, status)
    if not spaced:  # a namespace of processes ends with its first one
        jail.end(child)
        shutil.rmtree(place, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.write(status, json.dumps({"ended": ended}).encode() + b"\n")
    os._exit(0)


def _watch(child, report):
    """Wait for the child; kill it as soon as nobody reads ``report``. Returns its exit code, negative for
    a signal."""
    process = os.pidfd_open(child)
    poll = select.poll()
    poll.register(process, select.POLLIN)
    poll.register(report, 0)  # an error here: the reader is gone
    for fd, _ in poll.poll():
        if fd == report:
            jail.end(child)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _first(limits, talk, output, user, options, place):
    """Process 1 of the namespace: when it goes, all go. It has no secrets, but keeps rights the student lost."""
    jail.own_scratch(limits, options["stage"], options["shown"])
    child = os.fork()
    if child == 0:
        try:
            _student(limits, talk, output, user, options, tempfile.mkdtemp(prefix="answer_", dir="/tmp"))
        finally:
            os._exit(1)
    os.close(talk)
    os.close(output)
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _student(limits, talk, output, user, options, place):
    os.setsid()
    if user is not None:
        os.chown(place, user, user)
    empty = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((empty, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    kept = os.dup2(talk, 3)
    os.closerange(4, 4096)
    _live(wire.Channel(kept, kept, limits["answer_mib"] << 20), limits, user, options, place)


def _live(channel, limits, user, options, place):
    stage = options["stage"]
    student.enter([f"{stage}/inside", f"{stage}/{limits['variant']}", *options["path"]], place)
    jail.limit(limits)
    jail.drop_rights(user)
    try:
        student.serve(channel)
    finally:
        os._exit(0)


def alone(options):
    """One student's process without a nursery: talk over its standard input and output, limits as the system has."""
    talk_in, talk_out = os.dup(0), os.dup(1)
    empty = os.open(os.devnull, os.O_RDWR)
    os.dup2(empty, 0)
    os.dup2(2, 1)  # what the student prints goes where the errors go
    _live(wire.Channel(talk_in, talk_out, options["answer_mib"] << 20), options, None, options, options["place"])


def _readable_to_others(places):
    """Can another user read the libraries? Every folder on the way must let it pass."""
    for place in places:
        while place != os.path.dirname(place):
            if not os.stat(place).st_mode & 0o005:
                return False
            place = os.path.dirname(place)
    return True


if __name__ == "__main__":
    raise SystemExit("started by seqrec_edu.teaching.grading.nest: " + sys.argv[0])
