"""List the measurements, or run one:  python -m benchmarks [NAME [OPTIONS]]"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from . import fleet, inspect, placing, planning

MEASUREMENTS: Mapping[str, tuple[str, Callable[[Sequence[str]], int]]] = {
    "fleet": ("four hosts brought up and re-applied: provision, and Ansible by hand", fleet.main),
    "inspect": ("one look at a large machine: provision, lstopo, lscpu", inspect.main),
    "planning": ("whole plans of recorded hosts: time, 1,000 hosts, crossings", planning.main),
    "placing": ("the exact search: its time, and crossings against a greedy rule", placing.main),
}


def main(words: Sequence[str]) -> int:
    """Exit code of the measurement; 0 after listing them, 64 for a name that is none of them."""
    if words and words[0] in MEASUREMENTS:
        return MEASUREMENTS[words[0]][1](words[1:])
    unknown = bool(words) and words[0] not in ("-h", "--help")
    stream = sys.stderr if unknown else sys.stdout
    if unknown:
        print(f"no measurement is called {words[0]!r}; there are:", file=stream)
    for name, (title, _) in sorted(MEASUREMENTS.items()):
        print(f"python -m benchmarks {name}   {title}", file=stream)
    return 64 if unknown else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
