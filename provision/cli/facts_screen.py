"""Facts for people: the machine in a line, its tree and links, what is on it; findings last."""

from __future__ import annotations

from collections.abc import Iterator

from provision.host.facts import Facts

from .findings_screen import show_findings
from .gpus_screen import show_gpus, show_users_of_gpus
from .host_line import host_line
from .machine_screen import broken, show_matrix, show_tree
from .screen import Table, count, gib, heading, paragraph, put, width

# Ports that everybody has and nobody asks about are told as a number only.
_OURS = ("ollama", "vllm", "llama-server", "nginx", "tabby", "sglang", "ray", "prometheus")


def show_facts(facts: Facts) -> None:
    """The whole screen of `provision inspect`."""
    first, *rest = broken(host_line(facts), width() - 2)
    put(first, bold=True)
    for line in rest:
        put(f"  {line}", bold=True)
    _show_system(facts)
    show_tree(facts)
    show_matrix(facts)
    show_gpus(facts)
    _show_software(facts)
    _show_paths(facts)
    _show_instances(facts)
    show_users_of_gpus(facts)
    _show_listeners(facts)
    show_findings(facts.findings)


def _show_system(facts: Facts) -> None:
    for words in (_names(facts), _processor(facts), _memory(facts)):
        line = ", ".join(words)
        if line:
            paragraph("", line, 2)


def _names(facts: Facts) -> Iterator[str]:
    system = facts.stable.system
    for text in (system.product, system.pretty_name or system.distribution):
        if text:
            yield text
    if system.kernel:
        yield f"kernel {system.kernel}"
    if system.architecture:
        yield system.architecture
    if system.systemd is not None:
        yield f"systemd {system.systemd}"
    if system.cgroup:
        yield f"cgroup {system.cgroup}"
    if system.virtual_machine:
        yield f"virtual machine ({system.virtual_machine})"
    if system.container:
        yield f"in {system.container}"


def _processor(facts: Facts) -> Iterator[str]:
    cpu = facts.stable.cpu
    if cpu.model:
        yield cpu.model
    if cpu.online:
        yield f"{count(len(cpu.cores), 'core')}, {count(len(cpu.online), 'thread')}"
    for kind in cpu.kinds:
        yield f"{kind.name} {kind.cpus}"
    if cpu.offline:
        yield f"offline {cpu.offline}"
    if cpu.isolated:
        yield f"isolated {cpu.isolated}"
    if cpu.allowed is not None and cpu.allowed != cpu.online:
        yield f"this process may use {cpu.allowed}"


def _memory(facts: Facts) -> Iterator[str]:
    system, now = facts.stable.system, facts.volatile.memory
    if system.memory_mib is None:
        return
    free = f", {gib(now.available_mib)} available" if now.available_mib is not None else ""
    yield f"{gib(system.memory_mib)} memory{free}"
    if system.swap_mib:
        used = f", {gib(now.swap_used_mib)} in use" if now.swap_used_mib else ""
        yield f"{gib(system.swap_mib)} swap{used}"
    for node in facts.stable.numa_nodes:
        for pages in node.huge_pages:
            if pages.total:
                size = gib(max(1, pages.size_kib >> 10))
                yield f"node {node.id}: {pages.total} huge pages of {size}"


def _show_software(facts: Facts) -> None:
    table = Table(("software", "version", "path"))
    for driver in facts.stable.drivers:
        cuda = {"nvidia": "CUDA", "amd": "ROCm"}.get(driver.vendor)
        most = f", {cuda} {driver.cuda}" if driver.cuda and cuda else ""
        version = driver.version or driver.module
        # amdgpu, i915 and xe come with the kernel and have its version.
        own = "of the kernel" if driver.source == "sysfs" else "unknown"
        said = version or ("cannot be asked" if driver.problem else own)
        table.row(f"{driver.vendor} driver", said + most, "")
    for one in facts.stable.engines:
        table.row(one.engine, one.version or "unknown", one.path)
    nginx = facts.stable.nginx
    if nginx is not None:
        table.row("nginx", nginx.version or "unknown", nginx.path)
    for exporter in facts.stable.exporters:
        table.row(exporter.name, "", exporter.path)
    system = facts.stable.system
    if system.python:
        table.row("python", "", system.python)
    if system.numactl:
        table.row("numactl", "", system.numactl)
    heading("Software")
    table.show()
    if not facts.stable.engines:
        put("  no engine found (ollama, vllm, llama-server); --spec looks where host.yaml points")


def _show_paths(facts: Facts) -> None:
    """What the spec points at, and what kind of model it is."""
    rooms = {one.point: one.free_mib for one in facts.volatile.rooms}
    table = Table(("found", "size", "model", "path", "free there"), spare=4)
    for one in facts.stable.paths:
        size = gib(one.size_bytes >> 20) if one.size_bytes is not None else ""
        model = one.model
        what = ""
        if model is not None:
            weights = max(model.weights, key=lambda kind: model.weights[kind], default="")
            what = " ".join(word for word in (model.format, model.architecture, weights) if word)
            if model.weight_bytes is not None:
                size = gib(model.weight_bytes >> 20)
        free = gib(rooms.get(one.mount)) if one.mount else ""
        table.row(one.kind or "missing", size, what, one.path, free)
    if table.rows:
        put()
        table.show()


def _show_instances(facts: Facts) -> None:
    index = {gpu.uuid: str(gpu.index) for gpu in facts.stable.gpus}
    states = {unit.name: unit.active for unit in facts.volatile.units}
    table = Table(("instance", "unit", "GPUs", "node", "cores", "port"))
    for one in facts.volatile.placed:
        table.row(
            one.instance,
            states.get(one.unit, "unknown"),
            " ".join(index.get(uuid, "gone") for uuid in one.gpus),
            " ".join(map(str, one.nodes)),
            str(one.cpus),
            "" if one.port is None else str(one.port),
        )
    if table.rows:
        heading("Instances")
        table.show()


def _show_listeners(facts: Facts) -> None:
    """Those of engines, the proxy and monitoring; of the others only how many there are."""
    placed = {port for one in facts.volatile.placed for port in one.ports}
    table = Table(("listens", "program", "pid", "unit"))
    others = 0
    for one in facts.volatile.listeners:
        said = f"{one.program or ''} {one.unit or ''}".lower()
        if one.port not in placed and not any(word in said for word in _OURS):
            others += 1
            continue
        where = f"[{one.address}]" if ":" in one.address else one.address
        pid = "" if one.pid is None else str(one.pid)
        table.row(f"{where}:{one.port}", one.program or "", pid, one.unit or "")
    if table.rows:
        heading("Listening")
        table.show()
    if others:
        more = "more " if table.rows else ""
        put()
        put(f"  {count(others, f'{more}listening port', f'{more}listening ports')} (--json)")
