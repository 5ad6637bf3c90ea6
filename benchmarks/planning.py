"""Planning: seconds for a whole plan, 1,000 hosts in one process, and needless crossings.

Recorded hosts are those of the golden machines. The other side of the crossings is the greedy rule
("most free memory first", GPUStack's for several GPUs of a worker), on the same draws of memory
that others hold.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import time
from collections.abc import Iterator, Sequence
from itertools import combinations
from pathlib import Path
from statistics import median

from provision.host.document import loads
from provision.host.facts import EngineFound, Facts, GpuProcess, NginxFound
from provision.plan.fits.catalogue import fit_all
from provision.plan.machine.gpus import GpuTable, table_of
from provision.plan.machine.layout import Layout
from provision.plan.plan import Plan
from provision.plan.planner import make_plan
from provision.spec.read import ReadSpec, read_spec

GOLDEN = Path(__file__).resolve().parents[1] / "tests/golden"
ENGINES = (
    EngineFound("llama-server", "/usr/local/bin/llama-server", "11434"),
    EngineFound("ollama", "/usr/local/bin/ollama", "0.31.2"),
    EngineFound("vllm", "/opt/vllm/bin/vllm", "0.33.0", "/opt/vllm"),
)
GROUP = "version: 1\ninstances: {{chat: {{engine: vllm, model: Qwen/Qwen3-0.6B, gpus: {size}}}}}"


def main(words: Sequence[str]) -> int:
    """Exit code 0 after the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks planning", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, help="plans of each case; the median")
    parser.add_argument("--hosts", type=int, default=1000, help="planned one after another")
    parser.add_argument("--draws", type=int, default=50, help="of memory held, each machine")
    options = parser.parse_args(words)
    print(seconds_of_cases(options.repeat))
    print()
    print(fleet(options.hosts))
    print()
    print(seconds_of_catalogue(options.repeat))
    print()
    print(crossings(options.draws))
    return 0


def recorded(name: str) -> Facts:
    """A golden machine with the engines and nginx installed."""
    facts = loads(Facts, (GOLDEN / "machines" / name / "expected/facts.json").read_text())
    stable = dataclasses.replace(
        facts.stable, engines=ENGINES, nginx=NginxFound("/usr/sbin/nginx", "1.22.1")
    )
    return dataclasses.replace(facts, stable=stable)


def machines() -> list[str]:
    return sorted(path.parent.name for path in (GOLDEN / "machines").glob("*/machine.yaml"))


def cases() -> Iterator[tuple[str, ReadSpec, Facts]]:
    """The golden plans that are not refused."""
    for folder in sorted((GOLDEN / "plans").iterdir()):
        if (folder / "expected/plan.txt").exists():
            read = read_spec((folder / "host.yaml").read_text(), "host.yaml")
            yield folder.name, read, loads(Facts, (folder / "facts.json").read_text())


def seconds_of_cases(repeat: int) -> str:
    """Markdown: CPU time of a whole plan, reading host.yaml and facts not counted."""
    lines = ["| case | GPUs | instances | CPU ms, median |", "|---|---:|---:|---:|"]
    for name, read, facts in cases():
        taken = [_timed(read, facts) for _ in range(max(1, repeat))]
        plan = taken[0][1]
        middle = median(seconds for seconds, _ in taken) * 1000
        lines.append(
            f"| {name} | {len(facts.stable.gpus)} | {len(plan.instances)} | {middle:.0f} |"
        )
    return "\n".join(lines)


def _timed(read: ReadSpec, facts: Facts) -> tuple[float, Plan]:
    began = time.process_time()
    plan = make_plan(read.spec, facts, read.places)
    return time.process_time() - began, plan


def fleet(hosts: int) -> str:
    """Seconds for so many hosts in one process, the golden plans in turn."""
    every = list(cases())
    began = time.process_time()
    for number in range(hosts):
        _, read, facts = every[number % len(every)]
        make_plan(read.spec, facts, read.places)
    whole = time.process_time() - began
    return (
        f"{hosts} hosts in one process: {whole:.1f} s of CPU, {whole / max(1, hosts) * 1000:.0f} ms"
        " a host"
    )


def seconds_of_catalogue(repeat: int) -> str:
    """CPU time of `provision fit` without a model: each of the catalogue on one machine."""
    facts, taken = recorded("dgx-h100"), []
    for _ in range(max(1, repeat)):
        began = time.process_time()
        found = fit_all(facts)
        taken.append(time.process_time() - began)
    return f"{len(found.fits)} models on dgx-h100: {median(taken):.1f} s of CPU, median"


def crossings(draws: int) -> str:
    """Markdown: groups that cross a node or a gap between NVLinks although a nearer one exists."""
    lines = [
        "| machine | GPUs asked for | draws | ours, avoidable | greedy, avoidable |",
        "|---|---:|---:|---:|---:|",
    ]
    for name in machines():
        facts = recorded(name)
        table = table_of(facts)
        cards = table.usable()
        alike = len({(gpu.name, gpu.vendor) for gpu in cards}) == 1
        for size in (2, 4):
            if len(cards) > size and alike:
                ours, greedy = _avoidable(facts, table, size, draws)
                lines.append(
                    f"| {name} | {size} | {draws} | {ours} | {greedy} ({greedy / draws:.0%}) |"
                )
    return "\n".join(lines)


def _avoidable(facts: Facts, table: GpuTable, size: int, draws: int) -> tuple[int, int]:
    """Draws in which each rule crosses more than some other group would."""
    layout, cards = Layout(table), table.usable()
    least = min(layout.crossings(group) for group in combinations(range(len(cards)), size))
    dice = random.Random(17)
    read = read_spec(GROUP.format(size=size), "host.yaml")
    ours = greedy = 0
    for _ in range(draws):
        held = [dice.randint(200, 1200) for _ in cards]
        processes = tuple(
            GpuProcess(gpu.uuid, 4000 + at, mib, "python3", "session-1.scope")
            for at, (gpu, mib) in enumerate(zip(cards, held, strict=True))
        )
        volatile = dataclasses.replace(facts.volatile, gpu_processes=processes, placed=())
        plan = make_plan(read.spec, dataclasses.replace(facts, volatile=volatile), read.places)
        uuids = [gpu.uuid for gpu in plan.instances[0].gpus]
        chosen = sorted(at for at, gpu in enumerate(cards) if gpu.uuid in uuids)
        order = sorted(range(len(cards)), key=lambda at: (held[at], at))
        ours += layout.crossings(chosen) > least
        greedy += layout.crossings(sorted(order[:size])) > least
    return ours, greedy
