"""Where students' processes come from: a nursery that forks them (Linux), or one new Python each (elsewhere).

``Nest`` belongs to the run and hides, once, what no student may see; ``hatch`` makes one ``Student`` for one question.
"""

import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
from pathlib import Path

from seqrec_edu.teaching.grading.inside import jail
from seqrec_edu.teaching.grading.inside.wire import Channel, WireError

START = "import sys; sys.path.insert(0, {inside!r}); import json, nursery; nursery.{call}"
PRELOAD = (
    "torch.fft",
    "torch.nn.functional",
    "einops",
    "einops.layers.torch",
    "scipy",
    "typing",
    "dataclasses",
    "decimal",
)
ENVIRONMENT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
OUTPUT_READ = 1 << 16
LONGEST_START = 120  # seconds for a process to be ready, torch imported


def student_path():
    """Where a student's process may import from, besides its stage: no other copy of ``seqrec_edu``."""
    homes = tuple(os.path.realpath(place) + os.sep for place in {sys.prefix, sys.base_prefix})
    places = [
        place for place in sys.path
        if os.path.realpath(place).startswith(homes) and not (Path(place) / "seqrec_edu").is_dir()
    ]  # fmt: skip
    libraries = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    return list(dict.fromkeys([*places, *libraries]))


def clean_environment():
    """Only what a Python needs to start: no keys, no paths to the teacher's things; one thread, no GPU."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    return (
        kept
        | dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        | {"LANG": "C.UTF-8", "CUDA_VISIBLE_DEVICES": ""}
    )


def homes():
    """Folders of people: always hidden, and the libraries inside them shown, which another user could not reach."""
    return [place for place in (str(Path.home()), "/root", "/home") if os.path.isdir(place) and place != "/"]


class Nest:
    """Starts the nursery where there is fork, and knows what a single student's process needs where there is none.

    ``hidden`` are folders that students shall not see; ``level`` "none" leaves the namespaces out (for tests).
    """

    def __init__(self, stage, hidden=(), level="full"):
        self.stage = stage
        shown = [str(stage), sys.prefix, sys.base_prefix, *student_path()]
        shown = sorted({os.path.realpath(place) for place in shown if os.path.isdir(place)})
        # A folder inside another that is shown needs no place of its own.
        shown = [place for place in shown if not any(place.startswith(other + "/") for other in shown)]
        hidden = sorted({os.path.realpath(place) for place in (*hidden, *homes())})
        self.options = {
            "hidden": [place for place in hidden if place not in shown], "shown": shown, "level": level,
            "path": student_path(), "preload": PRELOAD, "stage": os.path.realpath(stage),
        }  # fmt: skip
        self.commands = self.nursery = None
        if sys.platform.startswith("linux"):
            self._start_nursery()

    def _start_nursery(self):
        self.commands, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        call = f"main({theirs.fileno()}, json.loads(sys.argv[1]))"
        start = START.format(inside=str(self.stage / "inside"), call=call)
        self.nursery = subprocess.Popen(
            [sys.executable, "-I", "-B", "-c", start, json.dumps(self.options)],
            pass_fds=[theirs.fileno()], env=clean_environment(), cwd="/", start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()

    def for_worker(self):
        """What a checker needs to hatch students from this nest: passed on as JSON, and one file descriptor."""
        return {"stage": str(self.stage), "options": self.options, "commands": self.commands and self.commands.fileno()}

    def close(self):
        """Send the nursery home; it goes by itself when nobody can ask it any more."""
        if self.commands is not None:
            self.commands.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.nursery.wait(10)
            if self.nursery.poll() is None:
                self.nursery.kill()
                self.nursery.wait()


class Student:
    """One student's process: a channel to it, what it printed (capped), how it ended, and a way to end it."""

    def __init__(self, channel, kill, output, output_kb, status, pid):
        self.channel, self._kill, self._status, self.pid = channel, kill, status, pid
        self.printed, self.held, self.ended, self.killed = 0, [], None, False
        self._most, self.inherited = output_kb << 10, 0.0
        self.text = bytearray()
        self._drain = threading.Thread(target=self._read_output, args=(output,), daemon=True)
        self._drain.start()

    def _read_output(self, fd):
        with contextlib.suppress(OSError):
            while part := os.read(fd, OUTPUT_READ):
                self.printed += len(part)
                self.text += part[: max(0, self._most - len(self.text))]
        os.close(fd)

    def kill(self):
        """End it and everything it started. May be called at any time and more than once."""
        self.killed = True
        self._kill()

    def sleeps(self):
        """Whether it waits for something; unknown counts as yes."""
        return not jail.works(self.pid)

    def processor_seconds(self):
        """Of it and all that it started; None where the system does not say."""
        return jail.processor_seconds(jail.family(self.pid))

    def excess(self, limits):
        """What it has too much of, taken together with all it started: ``(kind, sentence)`` or None."""
        pids = jail.family(self.pid)
        if len(pids) > limits.processes + 2:  # the first process of its namespace and the student's own come for free
            return "ended", f"It started more than {limits.processes} processes."
        if jail.own_mib(pids) > 2 * limits.memory_mib + self.inherited * len(pids):
            return "memory", f"It wanted more than {limits.memory_mib} MiB of memory."
        return None

    def close(self, wait=0.0):
        """End it, after up to ``wait`` seconds in which it may end by itself; learn its exit code (or signal)."""
        self.ended = self._status(wait, self.kill)
        with contextlib.suppress(OSError):
            self.channel.close()
        self._drain.join(2)


def hatch(nest, limits, user, variant):
    """A new student's process from what ``Nest.for_worker`` gave: forked if there is a nursery, else started.

    ``user`` is the number of the user it shall become, ``variant`` the folder of the stage it may import from.
    """
    order = limits.__dict__ | {"user": user, "variant": variant}
    student = _forked(nest, limits, order) if nest["commands"] is not None else _alone(nest, limits, order)
    timer = threading.Timer(LONGEST_START, student.kill)
    timer.start()
    try:
        student.channel.receive()
        # Pages that a fork shares with its nursery count as its own for the system, and as each of its children's.
        student.inherited = jail.own_mib([student.pid])
    except WireError:
        student.close()
        raise WireError(f"a student's process did not start: {student.text.decode(errors='replace')[-300:]}") from None
    finally:
        timer.cancel()
    return student


def _forked(nest, limits, order):
    talk, theirs = socket.socketpair()
    status_read, status_write = os.pipe()
    output_read, output_write = os.pipe()
    commands = socket.socket(fileno=os.dup(nest["commands"]))
    socket.send_fds(commands, [json.dumps(order).encode()], [theirs.fileno(), status_write, output_write])
    for end in (theirs, commands):
        end.close()
    os.close(status_write)
    os.close(output_write)
    status = os.fdopen(status_read)
    first = status.readline()
    if not first:
        raise WireError("the nursery is gone")
    born, fd = json.loads(first), talk.detach()
    killed = threading.Event()

    def kill():
        if not killed.is_set():
            killed.set()
            jail.end(born["pid"], session=False)

    def how(wait, kill):
        with status:
            if not select.select([status], [], [], wait)[0]:
                kill()
            last = status.readline()
        return json.loads(last)["ended"] if last else None

    student = Student(Channel(fd, fd, limits.answer_mib << 20), kill, output_read, limits.output_kb, how, born["pid"])
    student.held = born["held"]
    return student


def _alone(nest, limits, order):
    place = tempfile.mkdtemp(prefix="answer_")
    options = nest["options"] | order | {"place": place}
    start = START.format(inside=str(Path(nest["stage"]) / "inside"), call="alone(json.loads(sys.argv[1]))")
    process = subprocess.Popen(
        [sys.executable, "-I", "-B", "-c", start, json.dumps(options)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment(),
        cwd=place, start_new_session=True,
    )  # fmt: skip

    def kill():
        if process.poll() is None:
            jail.end(process.pid)
            process.kill()

    def how(wait, kill):
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            kill()
        code = process.wait()
        jail.end(process.pid)
        shutil.rmtree(place, ignore_errors=True)
        return code

    channel = Channel(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()), limits.answer_mib << 20)
    output = os.dup(process.stderr.fileno())
    for end in (process.stdout, process.stdin, process.stderr):
        end.close()
    return Student(channel, kill, output, limits.output_kb, how, process.pid)
