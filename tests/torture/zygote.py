"""Runs the agent again and again in forked children: a start of Python a kill would take too long.

A program of its own (`python -I -S zygote.py FOLDER_OF_THE_AGENT`). A job is a line of JSON on
stdin: words, and the files that are its stdin, stdout and stderr. The answer is its process id; it
waits there until a line says `go`, so that strace can be put on it first. The second answer is how
it ended: its exit code, or the number of the signal as a negative one.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import pkgutil
import sys
import traceback

PR_SET_PTRACER, ANY = 0x59616D61, ctypes.c_ulong(-1)  # prctl(2)


def serve(folder: str) -> None:
    sys.path.insert(0, folder)
    agent = importlib.import_module("provision_host.__main__")
    package = importlib.import_module("provision_host")
    for one in pkgutil.walk_packages(package.__path__, "provision_host."):
        if "inspect" not in one.name and not one.name.endswith("__main__"):
            importlib.import_module(one.name)
    for line in sys.stdin:
        job = json.loads(line)
        waits, gate = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(gate)
            code = 1
            # Where only parents may trace (Yama), strace is let in; root needs no leave.
            ctypes.CDLL(None).prctl(PR_SET_PTRACER, ANY)
            try:
                os.read(waits, 1)
                code = run(agent, job)
            finally:
                os._exit(code)
        os.close(waits)
        print(child, flush=True)
        sys.stdin.readline()
        os.close(gate)
        status = os.waitpid(child, 0)[1]
        print(os.waitstatus_to_exitcode(status), flush=True)


def run(agent: object, job: dict[str, object]) -> int:
    """One verb with its own stdin, stdout and stderr."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for number, (name, how) in enumerate((("stdin", os.O_RDONLY), ("out", flags), ("err", flags))):
        descriptor = os.open(str(job[name]), how, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
    try:
        code = int(agent.main(job["words"]))  # type: ignore[attr-defined]
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001 -- what the interpreter itself would do with it
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code


if __name__ == "__main__":
    serve(sys.argv[1])
