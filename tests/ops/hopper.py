"""What a Triton kernel costs on a Hopper GPU, read off its machine code: no GPU is needed for that.

The compiler runs in a process of its own, because the tests have Triton in its interpreter and one process cannot have
both. It is started once for all tests, since importing torch takes longer than compiling. ptxas and nvdisasm come with
Triton.
"""

import atexit
import json
import os
import re
import subprocess
import sys
import traceback
from collections import Counter
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

SHARED_LIMIT = 227 * 1024  # bytes of shared memory that one program can have on sm_90
ROOT = Path(__file__).resolve().parents[2]


def resources(module: str, kernel: str, signature: dict[str, str], constants: dict, warps: int = 4) -> dict:
    """Compile ``kernel`` of ``module`` for sm_90 and count what a thread of it needs.

    ``signature`` gives the type of each argument: ``"*fp32"``, ``"*bf16"``, ``"i32"``, ``"fp32"``; all pointers and an
    ``"i32:16"`` are taken to be multiples of 16, as Triton finds them at most launches. ``constants`` gives the values
    of constexpr arguments and ``None`` for tensors left out.

    Returns ``registers`` per thread, ``spill_bytes`` (0 is what you want), ``shared_bytes``, ``instructions`` of the
    whole kernel, ``opcodes`` (how many of each, ``{"MUFU.EX2": 16, …}``) and ``loops``: the same two for the body of
    every loop, in the order of the code, a loop around others before them. Skips the test where a tool is missing.
    """
    reason = missing()
    if reason:
        pytest.skip(reason)
    return _resources(json.dumps([module, kernel, signature, constants, warps]))


def count(opcodes: dict[str, int], *starts: str) -> int:
    """How many instructions begin with one of ``starts``: ``count(found["opcodes"], "SHFL", "HGMMA")``."""
    return sum(number for opcode, number in opcodes.items() if opcode.startswith(starts))


@cache
def missing() -> str | None:
    """Why kernels cannot be compiled here, or None."""
    if find_spec("triton") is None:
        return "triton is not installed, so nothing can be compiled for sm_90"
    absent = [tool for tool in ("ptxas", "nvdisasm") if not _tool(tool).exists()]
    return f"this triton comes without {' and '.join(absent)}" if absent else None


def _tool(name: str) -> Path:
    return Path(find_spec("triton").origin).parent / "backends/nvidia/bin" / name


@cache
def _resources(request: str) -> dict:
    process = _compiler()
    process.stdin.write(request + "\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer, f"the process that compiles ended with {process.wait()}"
    found = json.loads(answer)
    assert "error" not in found, f"does not compile for sm_90:\n{found['error'][-4000:]}"
    return found


@cache
def _compiler() -> subprocess.Popen:
    """A process that answers each line on its input, the arguments of `resources`, with one line."""
    plain = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, __file__], env=plain, cwd=ROOT, **pipes)
    atexit.register(process.kill)
    return process


def _serve() -> None:
    answers, sys.stdout = sys.stdout, sys.stderr  # whatever the compiler prints is no answer
    for request in sys.stdin:
        try:
            found = _compile(*json.loads(request))
        except Exception:
            found = {"error": traceback.format_exc()}
        print(json.dumps(found), file=answers, flush=True)


def _compile(module: str, kernel: str, signature: dict, constants: dict, warps: int) -> dict:
    from importlib import import_module

    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    function = getattr(import_module(module), kernel)
    absent = [name for name in function.arg_names if name not in signature and name not in constants]
    assert not absent, f"{kernel}: signature and constants leave out {', '.join(absent)}"
    types = {name: "constexpr" if name in constants else signature[name] for name in function.arg_names}
    multiples = {
        (i,): [["tt.divisibility", 16]]
        for i, kind in enumerate(types.values())
        if kind.startswith("*") or kind.endswith(":16")
    }
    types = {name: kind.removesuffix(":16") for name, kind in types.items()}
    source = ASTSource(function, types, constants, multiples)
    compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": warps})
    return {"shared_bytes": compiled.metadata.shared} | _read(compiled.asm["cubin"], compiled.asm["ptx"])


def _read(cubin: bytes, ptx: str) -> dict:
    """Registers and spills as ptxas reports them, instructions as nvdisasm lists them."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "kernel.cubin").write_bytes(cubin)
        (path / "kernel.ptx").write_text(ptx)
        assemble = [_tool("ptxas"), "-v", "--gpu-name=sm_90a", path / "kernel.ptx", "-o", os.devnull]
        report = subprocess.run(assemble, capture_output=True, text=True, check=True).stderr
        listing = [_tool("nvdisasm"), "-c", path / "kernel.cubin"]
        code = subprocess.run(listing, capture_output=True, text=True, check=True).stdout
    spills = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", report)
    return {
        "registers": int(re.search(r"Used (\d+) registers", report).group(1)),
        "spill_bytes": sum(map(int, spills.groups())),
    } | _counted(code)


def _counted(code: str) -> dict:
    """Opcodes of the kernel and of each loop; a loop is what lies between a label and a branch back to it."""
    opcodes, label_at, back = [], {}, []
    for line in code.splitlines():
        if label := re.match(r"\s*(\.L_x?_?\d+):", line):
            label_at[label.group(1)] = len(opcodes)
        if instruction := re.match(r"\s*/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)(.*)", line):
            opcode, operands = instruction.groups()
            opcodes.append(opcode)
            target = re.search(r"\.L_x?_?\d+", operands) if opcode.startswith("BRA") else None
            if target and label_at.get(target.group(), len(opcodes)) < len(opcodes) - 1:
                back.append((label_at[target.group()], len(opcodes)))
    used = [opcode for opcode in opcodes if opcode != "NOP"]
    return _counts(used) | {
        "loops": [_counts(opcodes[start:stop]) for start, stop in sorted(back, key=lambda span: (span[0], -span[1]))]
    }


def _counts(opcodes: list[str]) -> dict:
    return {"instructions": len(opcodes), "opcodes": dict(Counter(opcodes))}


if __name__ == "__main__":
    _serve()
