"""Facts for people: the machine in one line, then a small table a matter."""

from __future__ import annotations

from provision.host.facts import Facts, Gpu, PcieLink

from .host_line import gpu_name, host_line
from .plan_screen import show_warnings
from .screen import Table, gib, heading, paragraph, put


def show_facts(facts: Facts) -> None:
    """The whole screen of `provision inspect`."""
    put(host_line(facts), bold=True)
    _show_system(facts)
    _show_nodes(facts)
    _show_gpus(facts)
    _show_accelerators(facts)
    _show_software(facts)
    _show_paths(facts)
    _show_instances(facts)
    _show_users_of_gpus(facts)
    _show_listeners(facts)
    show_warnings(facts.findings)


def _show_system(facts: Facts) -> None:
    system, cpu = facts.stable.system, facts.stable.cpu
    said = [
        system.pretty_name or system.distribution,
        f"kernel {system.kernel}" if system.kernel else None,
        system.architecture,
        f"systemd {system.systemd}" if system.systemd is not None else None,
        f"cgroup {system.cgroup}" if system.cgroup else None,
        f"in {system.container}" if system.container else None,
    ]
    paragraph("", ", ".join(one for one in said if one), 2)
    threads = f"CPUs {cpu.online}" if cpu.online else None
    away = f"offline {cpu.offline}" if cpu.offline else None
    may = None
    if cpu.allowed is not None and cpu.allowed != cpu.online:
        may = f"this process may use {cpu.allowed}"
    memory = f"{gib(system.memory_mib)} memory" if system.memory_mib else None
    line = ", ".join(one for one in (cpu.model, threads, away, may, memory) if one)
    if line:
        paragraph("", line, 2)


def _show_nodes(facts: Facts) -> None:
    if not facts.stable.numa_nodes:
        return
    put()
    table = Table(("node", "CPUs", "memory", "GPUs", "distances"))
    for node in facts.stable.numa_nodes:
        gpus = [str(gpu.index) for gpu in facts.stable.gpus if gpu.numa_node == node.id]
        distances = " ".join(f"{to}:{far}" for to, far in sorted(node.distances.items()))
        table.row(str(node.id), str(node.cpus), gib(node.memory_mib), " ".join(gpus), distances)
    table.show()


def _show_gpus(facts: Facts) -> None:
    if not facts.stable.gpus:
        return
    now = {one.uuid: one for one in facts.volatile.gpus}
    put()
    table = Table(("GPU", "name", "memory", "node", "PCI", "link", "limit", "range", "persistence"))
    for gpu in facts.stable.gpus:
        state = now.get(gpu.uuid)
        used = state.memory_used_mib if state else None
        memory = f"{gib(used)} of {gib(gpu.memory_mib)}" if used else gib(gpu.memory_mib)
        limit = state.power_limit_watts if state else None
        persistence = state.persistence if state else None
        table.row(
            str(gpu.index),
            gpu_name(gpu),
            memory,
            "" if gpu.numa_node is None else str(gpu.numa_node),
            str(gpu.address),
            _link(gpu.link),
            f"{limit:g} W" if limit is not None else "",
            _range(gpu),
            {True: "on", False: "off", None: ""}[persistence],
        )
    table.show()
    put()
    names = Table(("GPU", "UUID"))
    for gpu in facts.stable.gpus:
        names.row(str(gpu.index), gpu.uuid)
    names.show()


def _link(link: PcieLink | None) -> str:
    """`x16`, `x4 of x16`: the width, since the speed drops when a card idles."""
    if link is None or link.width is None:
        return ""
    if link.width_max is not None and link.width < link.width_max:
        return f"x{link.width} of x{link.width_max}"
    return f"x{link.width}"


def _range(gpu: Gpu) -> str:
    if gpu.power_min_watts is None or gpu.power_max_watts is None:
        return ""
    return f"{gpu.power_min_watts:g}-{gpu.power_max_watts:g} W"


def _show_accelerators(facts: Facts) -> None:
    """Those on the bus that no driver serves."""
    served = {gpu.address for gpu in facts.stable.gpus}
    table = Table(("not served", "vendor", "node", "driver"))
    for one in facts.stable.accelerators:
        if one.address not in served:
            node = "" if one.numa_node is None else str(one.numa_node)
            vendor = one.vendor or f"{one.vendor_id}:{one.device_id}"
            table.row(str(one.address), vendor, node, one.driver or "none")
    if table.rows:
        put()
        table.show()


def _show_software(facts: Facts) -> None:
    table = Table(("software", "version", "path"))
    for one in facts.stable.engines:
        table.row(one.engine, one.version or "unknown", one.path)
    nginx = facts.stable.nginx
    if nginx is not None:
        table.row("nginx", nginx.version or "unknown", nginx.path)
    system = facts.stable.system
    if system.python:
        table.row("python", "", system.python)
    if system.numactl:
        table.row("numactl", "", system.numactl)
    put()
    table.show()
    if not facts.stable.engines:
        put("  no engine found (ollama, vllm, llama-server); --spec looks where host.yaml points")


def _show_paths(facts: Facts) -> None:
    table = Table(("found", "size", "path"))
    for one in facts.stable.paths:
        size = gib(one.size_bytes >> 20) if one.size_bytes is not None else ""
        table.row(one.kind or "missing", size, one.path)
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
        put()
        table.show()


def _show_users_of_gpus(facts: Facts) -> None:
    index = {gpu.uuid: str(gpu.index) for gpu in facts.stable.gpus}
    table = Table(("on GPU", "program", "pid", "memory", "unit"))
    for one in facts.volatile.gpu_processes:
        place = index.get(one.gpu, one.gpu)
        table.row(place, one.program or "", str(one.pid), gib(one.memory_mib), one.unit or "")
    if table.rows:
        put()
        table.show()


def _show_listeners(facts: Facts) -> None:
    table = Table(("listens", "program", "pid", "unit"))
    for one in facts.volatile.listeners:
        where = f"[{one.address}]" if ":" in one.address else one.address
        pid = "" if one.pid is None else str(one.pid)
        table.row(f"{where}:{one.port}", one.program or "", pid, one.unit or "")
    if table.rows:
        heading("Listening")
        table.show()
