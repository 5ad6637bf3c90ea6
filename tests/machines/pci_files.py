"""/sys/bus/pci and the folders of the devices, from the tree of a description."""

from __future__ import annotations

from provision.host.quantity import CpuSet
from tests.unit.inspect.tree import port_config

from .cpu_files import Layout
from .description import Description, Device
from .host import Host
from .parts import pci_ids

SPEEDS = {1: 2.5, 2: 5.0, 3: 8.0, 4: 16.0, 5: 32.0, 6: 64.0}
_ACS_ON, _ACS_OFF = 0x1D, 0x00  # source validation, request and completion redirect, forwarding


def write_pci(host: Host, machine: Description, layout: Layout) -> None:
    """Every device with its ids, link, node, driver and configuration space; slots; class links."""
    below = {one.above.address: one for one in reversed(machine.devices) if one.above}
    for device in machine.devices:
        _write_device(host, device, below.get(device.address), layout)
        _write_classes(host, device)
    host.file("/usr/share/misc/pci.ids", pci_ids({one.name for one in machine.devices}))
    _write_iommu(host, machine)


def _write_device(host: Host, device: Device, below: Device | None, layout: Layout) -> None:
    part = device.part
    cpus = layout.online if device.node is None else _near(device.node, layout)
    lanes = _lanes(device, below)
    speeds = _speeds(device, below)
    vendor, _, board = (device.option("board") or part.board).partition(":")
    driver = device.option("driver", part.driver)
    host.pci(
        device.path,
        (part.class_code, part.vendor, part.device),
        numa_node=-1 if device.node is None else device.node,
        driver=None if driver in ("", "none") else driver,
        config=_config(device),
        interfaces=[] if part is None or driver == "virtio-pci" else _words(device, "net"),
        lanes=(lanes, device.most_lanes) if lanes else None,
        speeds=speeds,
        local_cpulist=str(cpus),
        power_state="D0",
        **({"subsystem_vendor": f"0x{vendor}", "subsystem_device": f"0x{board}"} if board else {}),
    )
    folder = f"/sys/devices/{device.path}"
    if device.option("answers") == "no":  # what the kernel makes of all ones
        for word in ("current", "max"):
            host.file(f"{folder}/{word}_link_width", "63\n")
            host.file(f"{folder}/{word}_link_speed", "Unknown\n")
    for name in _words(device, "rdma"):
        host.file(f"{folder}/infiniband/{name}/node_type", "1: CA\n")
    if driver == "virtio-pci":
        for name in _words(device, "net"):
            host.file(f"{folder}/virtio0/net/{name}/mtu", "1500\n")
    if device.option("slot"):
        hangs = below.address.rpartition(".")[0] if below else ""
        host.file(f"/sys/bus/pci/slots/{device.option('slot')}/address", f"{hangs}\n")


def _near(node: int, layout: Layout) -> CpuSet:
    """The CPUs of a device's node; all of them where the kernel knows no node."""
    return layout.online if node < 0 or node not in layout.nodes else layout.nodes[node]


def _write_iommu(host: Host, machine: Description) -> None:
    """Groups by slot where `iommu:` of the system tells their type; else the class is empty."""
    kind = machine.section("system").get("iommu")
    if not kind:
        (host.root / "sys/class/iommu").mkdir(parents=True)
        return
    host.file("/sys/class/iommu/ivhd0/devices/none", "")
    numbers: dict[str, int] = {}
    for device in machine.devices:
        number = numbers.setdefault(device.address.rpartition(".")[0], len(numbers))
        group = f"/sys/kernel/iommu_groups/{number}"
        host.link(f"/sys/devices/{device.path}/iommu_group", group)
        host.link(f"{group}/devices/{device.address}", f"/sys/devices/{device.path}")
        host.file(f"{group}/type", f"{kind}\n")


def _lanes(device: Device, below: Device | None) -> int:
    """The lanes of a link are those of its narrower end; a port's link is the one below it."""
    if device.option("lanes"):
        return int(device.option("lanes"))
    if _faces_up(device):
        above = device.above
        if above is None or not above.most_lanes or not device.most_lanes:
            return device.most_lanes
        return min(device.most_lanes, above.most_lanes)
    if below is None or not below.most_lanes:
        return device.most_lanes
    return int(below.option("lanes", str(min(device.most_lanes, below.most_lanes))))


def _faces_up(device: Device) -> bool:
    """Whether its link files are of the link towards the root: all but root and switch ports."""
    return device.part.port in (None, 5, 7)


def _speeds(device: Device, below: Device | None) -> tuple[float, float]:
    """Now and at most. Consumer cards drop to the first generation when idle."""
    most = SPEEDS.get(device.generation, 2.5)
    card = device if _faces_up(device) else below or device
    other = device.above if _faces_up(device) else below
    both = min(most, SPEEDS.get(other.generation, most) if other else most)
    now = card.option("now") or ("1" if card.is_gpu and card.part.quiet else "")
    return (SPEEDS[int(now)] if now else both, most)


def _config(device: Device) -> bytes:
    if device.option("answers") == "no":
        return b"\xff" * 4096
    vendor = bytes.fromhex(device.part.vendor)[::-1] + bytes.fromhex(device.part.device)[::-1]
    if device.part.port is None:
        return vendor + b"\x06\x04\x10\x00" + bytes(248)
    acs = {"on": _ACS_ON, "off": _ACS_OFF}.get(device.option("acs", "off"))
    return vendor + port_config(device.part.port, acs)[4:]


def _words(device: Device, option: str) -> list[str]:
    return [word for word in device.option(option).split(",") if word]


def _write_classes(host: Host, device: Device) -> None:
    """Links of /sys/class, by which other programs find the devices."""
    folder = f"../../devices/{device.path}"
    for name in _words(device, "net"):
        inner = "virtio0/" if device.part.driver == "virtio-pci" else ""
        host.link(f"/sys/class/net/{name}", f"{folder}/{inner}net/{name}")
    for name in _words(device, "rdma"):
        host.link(f"/sys/class/infiniband/{name}", f"{folder}/infiniband/{name}")
