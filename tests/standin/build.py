"""Compiles the NVML stand-in; the door to its tables of GPUs for tests.

A test of a whole machine needs two things: a tree of its files, and a table of its driver, whose
PCI addresses agree with the tree:

    library = build(folder)                                 # once a session
    table = table_text(("0000:01:00.0", "0000:41:00.0"), "3090", nodes=(0, 1), p2p=2)
    # LD_LIBRARY_PATH=folder NVML_STANDIN_TABLE=<file of the table>: NVML answers from it

tests/unit/inspect/driver.py does that in a subprocess: Driver(library, folder).ask(table) gives
NvmlAnswers, .inspect(table) the Facts of this machine with these GPUs. Answers and a recorded tree
are brought together by read_answers(answers, read_bus(tree, ...), nodes).

What table_text() (tables.py) has no word for is told by its `values` (any key of a gpu line, None
takes it away) or `more` (whole lines, by line()). Models and old drivers: models.py; named
machines: machines.py.

By hand: `python -m tests.standin.build FOLDER [MACHINE]`, then LD_LIBRARY_PATH=FOLDER and
NVML_STANDIN_TABLE=FOLDER/MACHINE.tsv.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .machines import MACHINES, machine_table
from .models import LACKING_IN_440, MODELS, Model
from .tables import NODE, PHB, PIX, PXB, SYS, Slice, line, mig_uuid_of, table_text, uuid_of

__all__ = [
    "LACKING_IN_440",
    "MACHINES",
    "MODELS",
    "NODE",
    "PHB",
    "PIX",
    "PXB",
    "SYS",
    "Model",
    "Slice",
    "build",
    "line",
    "machine_table",
    "mig_uuid_of",
    "table_text",
    "uuid_of",
]

SONAME = "libnvidia-ml.so.1"
_SOURCES = ("nvml.c", "table.c", "settings.c", "links.c", "slices.c")


def build(folder: Path, without: Sequence[str] = ()) -> Path:
    """Compile the library into a folder; `without` hides functions, as an old driver lacks them.

    LACKING_IN_440 is what driver 440 has not.
    """
    folder.mkdir(parents=True, exist_ok=True)
    library = folder / SONAME
    hidden = "".join(f" {name};" for name in without)
    script = folder / "nvml-standin.map"
    script.write_text(f"{{ global: nvml*; local:{hidden} *; }};\n")
    sources = [str(Path(__file__).with_name(name)) for name in _SOURCES]
    words = ["cc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    linker = [f"-Wl,-soname,{SONAME}", f"-Wl,--version-script={script}"]
    subprocess.run([*words, *linker, "-o", str(library), *sources], check=True)
    return library


if __name__ == "__main__":
    target = Path(sys.argv[1])
    build(target)
    for machine in sys.argv[2:] or sorted(MACHINES):
        (target / f"{machine}.tsv").write_text(machine_table(machine))
