"""What can be plugged into a machine: PCI ids, links and names of real parts."""

from __future__ import annotations

from dataclasses import dataclass

from tests.unit.inspect.tree import DOWNSTREAM, ROOT_PORT, TO_PCI, UPSTREAM

BRIDGE = "060400"


@dataclass(frozen=True)
class Part:
    """A kind of PCI device. generation and lanes: the most of its end of the link; 0: no link."""

    ids: str  # vendor:device
    class_code: str
    name: str = ""  # pci.ids' words
    generation: int = 0
    lanes: int = 0
    driver: str = ""
    port: int | None = None  # type of the PCIe port, of bridges
    board: str = ""  # subsystem vendor:device
    second: str = ""  # its second function: the part's name (a card's sound)
    quiet: bool = True  # the link slows down when idle

    @property
    def vendor(self) -> str:
        return self.ids.partition(":")[0]

    @property
    def device(self) -> str:
        return self.ids.partition(":")[2]


def _geforce(ids: str, name: str, generation: int, second: str, board: str = "10de:1467") -> Part:
    return Part(ids, "030000", name, generation, 16, "nvidia", board=board, second=second)


def _tesla(ids: str, name: str, generation: int, board: str, quiet: bool = False) -> Part:
    return Part(ids, "030200", name, generation, 16, "nvidia", board=board, quiet=quiet)


def _root(ids: str, name: str, generation: int) -> Part:
    return Part(ids, BRIDGE, name, generation, 16, "pcieport", ROOT_PORT)


def _switch(ids: str, name: str, generation: int, port: int) -> Part:
    return Part(ids, BRIDGE, name, generation, 16, "pcieport", port, quiet=False)


GPUS: dict[str, Part] = {
    "rtx3060": _geforce("10de:2503", "GA106 [GeForce RTX 3060]", 4, "sound-ga106"),
    "rtx3090": _geforce("10de:2204", "GA102 [GeForce RTX 3090]", 4, "sound-ga102"),
    "rtx4090": _geforce("10de:2684", "AD102 [GeForce RTX 4090]", 4, "sound-ad102"),
    "rtx5090": _geforce("10de:2b85", "GB202 [GeForce RTX 5090]", 5, "sound-gb202"),
    "rtx-a6000": _geforce("10de:2230", "GA102GL [RTX A6000]", 4, "sound-ga102", "10de:1459"),
    "a100": _tesla("10de:20b2", "GA100 [A100 SXM4 80GB]", 4, "10de:147f"),
    "t4": _tesla("10de:1eb8", "TU104GL [Tesla T4]", 3, "10de:12a2", quiet=True),
    "l40s": _tesla("10de:26b9", "AD102GL [L40S]", 4, "10de:1851", quiet=True),
    "h100": _tesla("10de:2330", "GH100 [H100 SXM5 80GB]", 5, "10de:16c1"),
    "gh200": _tesla("10de:2342", "GH100 [GH200 120GB / 480GB]", 5, "10de:16eb"),
    "gb200": _tesla("10de:2941", "GB100 [HGX GB200]", 5, "10de:2046"),
    "gb10": Part("10de:2e12", "030000", "GB20B [GB10]", 5, 16, "nvidia", board="10de:2e12"),
    "mi300x": Part(
        "1002:74a1", "120000", "Aqua Vanjaram [Instinct MI300X]", 5, 16, "amdgpu",
        board="1002:74a1", quiet=False,
    ),
    "rx7900xtx": Part(
        "1002:744c", "030000", "Navi 31 [Radeon RX 7900 XT/7900 XTX/7900 GRE/7900M]", 4, 16,
        "amdgpu", board="1eae:7901", second="sound-navi31",
    ),
    "raphael": Part("1002:164e", "030000", "Raphael", 4, 16, "amdgpu", board="1043:8877"),
    "arc-a770": Part(
        "8086:56a0", "030000", "DG2 [Arc A770]", 1, 1, "i915", board="8086:1020",
    ),
    "flex170": Part("8086:56c0", "038000", "ATS-M [Data Center GPU Flex 170]", 1, 1, "i915"),
}  # fmt: skip

OTHERS: dict[str, Part] = {
    "nvswitch-a100": Part("10de:1af1", "068000", "GA100 [A100 NVSwitch]", 4, 2, "nvidia-nvswitch"),
    "nvswitch-h100": Part("10de:22a3", "068000", "GH100 [H100 NVSwitch]", 5, 2, "nvidia-nvswitch"),
    "sound-ga102": Part("10de:1aef", "040300", "GA102 High Definition Audio Controller"),
    "sound-ga106": Part("10de:228e", "040300", "GA106 High Definition Audio Controller"),
    "sound-ad102": Part("10de:22ba", "040300", "AD102 High Definition Audio Controller"),
    "sound-gb202": Part("10de:22e8", "040300", "GB202 High Definition Audio Controller"),
    "sound-navi31": Part("1002:ab30", "040300", "Navi 31 HDMI/DP Audio"),
    "aspeed": Part("1a03:2000", "030000", "ASPEED Graphics Family", driver="ast"),
    "qxl": Part("1b36:0100", "030000", "QXL paravirtual graphic card", driver="qxl"),
    "cx6-ib": Part("15b3:101b", "020700", "MT28908 Family [ConnectX-6]", 4, 16, "mlx5_core"),
    "cx6": Part("15b3:101b", "020000", "MT28908 Family [ConnectX-6]", 4, 16, "mlx5_core"),
    "cx7-ib": Part("15b3:1021", "020700", "MT2910 Family [ConnectX-7]", 5, 16, "mlx5_core"),
    "cx7": Part("15b3:1021", "020000", "MT2910 Family [ConnectX-7]", 5, 16, "mlx5_core"),
    "bf3": Part(
        "15b3:a2dc", "020000", "MT43244 BlueField-3 integrated ConnectX-7 network controller",
        5, 16, "mlx5_core",
    ),
    "thor2": Part("14e4:1760", "020000", "BCM57608 NetXtreme-E", 5, 16, "bnxt_en"),
    "bcm5720": Part("14e4:165f", "020000", "NetXtreme BCM5720 Gigabit Ethernet", 2, 2, "tg3"),
    "x550": Part("8086:1563", "020000", "Ethernet Controller X550", 3, 4, "ixgbe"),
    "x710": Part("8086:1572", "020000", "Ethernet Controller X710 for 10GbE SFP+", 3, 8, "i40e"),
    "i210": Part("8086:1533", "020000", "I210 Gigabit Network Connection", 1, 1, "igb"),
    "i225": Part("8086:15f3", "020000", "Ethernet Controller I225-V", 2, 1, "igc"),
    "rtl8125": Part("10ec:8125", "020000", "RTL8125 2.5GbE Controller", 2, 1, "r8169"),
    "rtl8127": Part("10ec:8127", "020000", "RTL8127 10GbE Controller", 4, 1, "r8127"),
    "virtio-net": Part("1af4:1041", "020000", "Virtio 1.0 network device", driver="virtio-pci"),
    "nvme": Part("144d:a80c", "010802", "NVMe SSD Controller S4LV008[Pascal]", 4, 4, "nvme"),
    "host-bridge": Part("1022:1480", "060000", "Root Complex"),
}  # fmt: skip

BRIDGES: dict[str, Part] = {
    "rome-port": _root("1022:1483", "Starship/Matisse GPP Bridge", 4),
    "genoa-port": _root("1022:14ab", "Genoa/Bergamo PCIe GPP Bridge", 5),
    "raphael-port": _root("1022:14db", "Raphael/Granite Ridge GPP Bridge", 5),
    "raphael-inner": _root("1022:14dd", "Raphael Internal GPP Bridge to Bus [C:A]", 4),
    "broadwell-port": _root("8086:6f08", "Xeon E5 v4 PCI Express Root Port 3", 3),
    "skylake-port": _root("8086:2030", "Sky Lake-E PCI Express Root Port A", 3),
    "icelake-port": _root("8086:347a", "Ice Lake PCIe Root Port A", 4),
    "sapphire-port": _root("8086:352a", "Sapphire Rapids PCIe Root Port A", 5),
    "raptor-peg": _root("8086:a70d", "Raptor Lake PCI Express 5.0 Graphics Port", 5),
    "z790-port": _root("8086:7a30", "Raptor Lake PCI Express Root Port #25", 4),
    "grace-port": _root("10de:22b8", "Grace PCIe Root Port Bridge", 5),
    "gb10-port": _root("10de:22ce", "GB10 PCIe Root Port", 5),
    "qemu-port": _root("1b36:000c", "QEMU PCIe Root port", 4),
    "plx8747-up": _switch("10b5:8747", "PEX 8747 48-Lane PCI Express Gen 3 Switch", 3, UPSTREAM),
    "plx8747": _switch("10b5:8747", "PEX 8747 48-Lane PCI Express Gen 3 Switch", 3, DOWNSTREAM),
    "pex880-up": _switch("1000:c010", "PEX880xx PCIe Gen 4 Switch", 4, UPSTREAM),
    "pex880": _switch("1000:c010", "PEX880xx PCIe Gen 4 Switch", 4, DOWNSTREAM),
    "pex890-up": _switch("1000:c030", "PEX890xx PCIe Gen 5 Switch", 5, UPSTREAM),
    "pex890": _switch("1000:c030", "PEX890xx PCIe Gen 5 Switch", 5, DOWNSTREAM),
    # Switches that AMD and Intel put on the graphics card itself.
    "navi-up": _switch("1002:1478", "Navi 10 XL Upstream Port of PCI Express Switch", 4, UPSTREAM),
    "navi": _switch("1002:1479", "Navi 10 XL Downstream Port of PCI Express Switch", 4, DOWNSTREAM),
    "arc-up": _switch("8086:4fa0", "DG2 PCI Express Upstream Port", 4, UPSTREAM),
    "arc": _switch("8086:4fa4", "DG2 PCI Express Downstream Port", 1, DOWNSTREAM),
    "aspeed-bridge": Part("1a03:1150", BRIDGE, "AST1150 PCI-to-PCI Bridge", 1, 1, "", TO_PCI),
}

PARTS: dict[str, Part] = {**GPUS, **OTHERS, **BRIDGES}


def pci_ids(names: set[str]) -> str:
    """A pci.ids file with these parts."""
    vendors: dict[str, dict[str, str]] = {}
    for part in (PARTS[name] for name in names):
        vendors.setdefault(part.vendor, {})[part.device] = part.name
    lines = []
    for vendor, devices in sorted(vendors.items()):
        lines.append(f"{vendor}  Vendor {vendor}")
        lines += [f"\t{device}  {name}" for device, name in sorted(devices.items())]
    return "\n".join(lines) + "\n"
