"""What a student's process is held by: namespaces, another user, limits. Each is tried; what did not hold is reported.

Linux, as root or where unprivileged user namespaces are allowed: no network, no view of other processes, of the
submissions, of home folders and of the package; a small folder in memory as the only place to write. As root also a
user of its own, so that the limit on processes counts. macOS: the limits of ``resource`` except memory. Windows: none
of them; there the wall clock of the checker remains.
"""

import contextlib
import ctypes
import os
import signal
import sys

try:
    import resource
except ImportError:  # Windows
    resource = None

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS, NEW_NETWORK = 0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
RECURSIVE, PRIVATE, BIND, READ_ONLY, REMOUNT, NO_SUID, NO_DEVICES = 0x4000, 0x40000, 0x1000, 1, 32, 2, 4
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")


def _libc():
    return ctypes.CDLL(None, use_errno=True)


def unshare(flags):
    """Leave the shared namespaces named by ``flags``; ``OSError`` where the system refuses."""
    if not sys.platform.startswith("linux"):
        raise OSError("only Linux has namespaces")
    if _libc().unshare(flags):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(source, target, kind, flags=0, options=""):
    """Mount, or raise ``OSError``."""
    arguments = [value.encode() if value else None for value in (source, target, kind)]
    if _libc().mount(*arguments, ctypes.c_ulong(flags), options.encode() or None):
        raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {target}")


def undumpable():
    """Keep processes of the same user from reading this one's memory (Linux)."""
    if sys.platform.startswith("linux"):
        _libc().prctl(4, 0, 0, 0, 0)


def wall_off(hidden, shown, level):
    """Once, before any student: no network, own mounts, and nothing to see in ``hidden`` except the folders ``shown``.

    Returns the protections that hold, by name. Must run before the process has a second thread.
    """
    held = []
    if level == "none":
        return held
    with contextlib.suppress(OSError):
        if os.geteuid() != 0:
            _become_root_of_nothing()
            held.append("user namespace")
        unshare(NEW_NETWORK | NEW_IPC)
        held.append("no network")
        unshare(NEW_MOUNTS)
        mount(None, "/", None, RECURSIVE | PRIVATE)
        _cover(hidden, shown)
        held.append("hidden folders")
    return held


def _become_root_of_nothing():
    """A user namespace in which this user is root: enough for own mounts, without any right outside."""
    user, group = os.getuid(), os.getgid()
    unshare(NEW_USER)
    for name, text in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)


def _cover(hidden, shown, options="size=1m,mode=755"):
    """Put an empty folder over each of ``hidden``; what is ``shown`` inside one of them comes back read-only."""
    below = [place for place in shown if any(_inside(place, cover) for cover in hidden)]
    open_folders = {place: os.open(place, os.O_PATH) for place in below}
    for cover in hidden:
        if os.path.isdir(cover):
            mount("none", cover, "tmpfs", NO_SUID | NO_DEVICES, options)
    for place in sorted(below, key=len):
        os.makedirs(place, exist_ok=True)
        mount(f"/proc/self/fd/{open_folders[place]}", place, None, BIND | RECURSIVE)
        with contextlib.suppress(OSError):
            mount(None, place, None, BIND | REMOUNT | READ_ONLY | NO_SUID)
        os.close(open_folders[place])


def _inside(place, cover):
    return place == cover or place.startswith(cover.rstrip("/") + "/")


def own_scratch(limits, stage, shown):
    """In a fresh process namespace: its own empty /tmp in memory, of a limited size, and its own list of processes.

    Of the stage, its own variant remains to be seen.
    """
    unshare(NEW_MOUNTS)
    places = [place for place in (*SCRATCH, stage) if os.path.isdir(place) and not os.path.islink(place)]
    shown = [place for place in shown if place != stage] + [f"{stage}/inside", f"{stage}/{limits['variant']}"]
    _cover(places, shown, f"size={limits['files_mib']}m,mode=1777,nr_inodes=1000")
    mount("proc", "/proc", "proc", NO_SUID | NO_DEVICES)


def limit(limits):
    """Set the limits of this process and its children; memory counts from what is mapped now."""
    if resource is None:
        return
    mib = 1 << 20
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(limits["question_seconds"] + used.ru_utime + used.ru_stime) + 1
    wanted = {
        "RLIMIT_CORE": (0, 0),
        "RLIMIT_CPU": (seconds, seconds + 1),
        "RLIMIT_NOFILE": (limits["open_files"],) * 2,
        "RLIMIT_FSIZE": (limits["files_mib"] * mib,) * 2,
        "RLIMIT_NPROC": (limits["processes"],) * 2,
    }
    mapped = _mapped_bytes()
    if mapped:
        wanted["RLIMIT_AS"] = (mapped + limits["memory_mib"] * mib,) * 2
    for name, values in wanted.items():
        with contextlib.suppress(OSError, ValueError, AttributeError):
            resource.setrlimit(getattr(resource, name), values)
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a full file is an OSError, not the end


def _mapped_bytes():
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def drop_rights(user):
    """Become ``user`` for good (as root), or give up every capability (as root of a user namespace)."""
    if sys.platform.startswith("linux"):
        _libc().prctl(38, 1, 0, 0, 0)  # no new rights through a program with the set-user bit
    if user is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    elif sys.platform.startswith("linux") and os.geteuid() == 0:
        for capability in range(64):
            _libc().prctl(24, capability, 0, 0, 0)
        header, empty = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        _libc().capset(header, empty)


def end(pid, session=True):
    """Kill a process, its group, and (where /proc lists them) whoever else belongs to its session."""
    if pid <= 1:
        return
    for kill in (lambda: os.killpg(pid, signal.SIGKILL), lambda: os.kill(pid, signal.SIGKILL)):
        with contextlib.suppress(OSError, AttributeError):
            kill()
    for other in members(pid) if session else []:
        with contextlib.suppress(OSError):
            os.kill(other, signal.SIGKILL)


def family(pid):
    """A process, all that descend from it or share its session, from /proc; empty where there is none."""
    parents, found = {}, {pid}
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                with open(f"/proc/{name}/stat") as file:
                    fields = file.read().rpartition(")")[2].split()
                parents[int(name)] = int(fields[1])
                found |= {int(name)} if int(fields[3]) == pid else set()
    if not parents:
        return []
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return sorted(found)


def own_mib(pids):
    """Memory that these processes hold for themselves alone, in MiB (Linux)."""
    pages = 0
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/statm") as file:
                fields = file.read().split()
            pages += int(fields[1]) - int(fields[2])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20) if pages else 0.0


def processor_seconds(pids):
    """What these processes have computed so far (Linux); None where there is no /proc."""
    ticks, seen = 0, False
    for pid in pids:
        with contextlib.suppress(OSError, ValueError, IndexError):
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            ticks, seen = ticks + sum(map(int, fields[11:15])), True  # its own, and of children that have ended
    return ticks / os.sysconf("SC_CLK_TCK") if seen else None


def members(session):
    """Ids of the processes of a session, from /proc; empty where there is none."""
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else []:
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{name}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[3]) == session:
                    found.append(int(name))
    return found


def works(pid):
    """Whether a process, or a child of it, computes or waits for the processor or a disk (Linux; elsewhere no)."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            family = [pid, *map(int, file.read().split())]
        for each in family:
            for task in os.listdir(f"/proc/{each}/task"):
                with open(f"/proc/{each}/task/{task}/stat") as file:
                    if file.read().rpartition(")")[2].split()[0] in "RD":
                        return True
    return False
