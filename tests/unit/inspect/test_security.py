from __future__ import annotations

from pathlib import Path

import pytest

from provision.host.facts import Security
from provision.host.inspect.source import Source
from provision.host.inspect.system.firewall import (
    Chain,
    has_rules,
    is_filtering,
    is_ufw_enabled,
    parse_chains,
    read_firewall,
)
from provision.host.inspect.system.security import (
    efi_flag,
    parse_boolean,
    parse_profiles,
    read_security,
    selinux_of_configuration,
)

from .answers import Answers
from .tree import Machine

EFIVARS = "/sys/firmware/efi/efivars"
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
ON, OFF = b"\x06\0\0\0\x01", b"\x06\0\0\0\0"
PROFILES = """\
/usr/sbin/nginx (enforce)
/usr/sbin/nginx//log (enforce)
snap.ollama.ollama (complain)
docker-default (enforce)
/opt/llama.cpp/bin/llama-server (unconfined)
/usr/lib/x86_64-linux-gnu/lightdm/lightdm-guest-session (enforce)
/opt/ollama/helper (enforce)
ray (enforce)
libvirt-array (enforce)
broken line
"""
CHAINS = """\
table inet mine {
	chain incoming {
		type filter hook input priority filter; policy drop;
	}
	chain forward {
		type filter hook forward priority filter; policy drop;
	}
}
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
	chain DOCKER {
	}
}
table ip nat {
	chain PREROUTING {
		type nat hook prerouting priority dstnat; policy accept;
	}
}
table arp x {
	chain y {
		type filter hook input priority filter; policy drop;
	}
}
"""
EMPTY = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
	}
}
"""
RULES = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		tcp dport 22 counter packets 1 bytes 60 accept
	}
}
"""


def test_nothing_told_is_nothing_known(tmp_path: Path) -> None:
    assert read_security(Source(tmp_path)) == Security()


def test_secure_boot_as_the_kernel_counts_it(tmp_path: Path) -> None:
    machine = Machine(tmp_path)

    def secure() -> bool | None:
        return read_security(Source(tmp_path)).secure_boot

    machine.data(f"{EFIVARS}/SecureBoot-{GLOBAL}", OFF)
    assert secure() is False
    machine.data(f"{EFIVARS}/SecureBoot-{GLOBAL}", ON)
    assert secure() is True
    machine.data(f"{EFIVARS}/SetupMode-{GLOBAL}", OFF)
    assert secure() is True
    machine.data(f"{EFIVARS}/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23", ON)
    assert secure() is False
    machine.data(f"{EFIVARS}/MokSBStateRT-605dab50-e046-4300-abb6-3dd810dd8b23", OFF)
    machine.data(f"{EFIVARS}/SetupMode-{GLOBAL}", ON)
    assert secure() is False


def test_a_pc_without_efi_has_no_secure_boot(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/firmware/acpi/tables/DSDT", "")
    assert read_security(Source(tmp_path)).secure_boot is None  # a partial tree, an ARM server
    machine.file("/sys/firmware/memmap/0/type", "System RAM")
    assert read_security(Source(tmp_path)).secure_boot is False
    machine.file("/sys/firmware/efi/fw_platform_size", "64")  # variables are not mounted
    assert read_security(Source(tmp_path)).secure_boot is None


@pytest.mark.parametrize(
    ("content", "flag"),
    [(ON, True), (OFF, False), (b"\x06\0\0\0", None), (None, None), (b"xxxxx", None)],
)
def test_efi_flags(content: bytes | None, flag: bool | None) -> None:
    assert efi_flag(content) is flag


def test_selinux(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/fs/selinux/enforce", "1")
    machine.file("/sys/fs/selinux/booleans/httpd_can_network_connect", "0 1")
    machine.file("/sys/fs/selinux/booleans/httpd_setrlimit", "1 1")
    machine.file("/sys/fs/selinux/booleans/virt_use_nfs", "1 1")
    machine.file("/sys/fs/selinux/booleans/deny_execmem", "?")
    machine.file("/etc/selinux/config", "SELINUX=disabled\n")
    told = read_security(Source(tmp_path))
    assert told.selinux == "enforcing"
    assert told.selinux_booleans == {"httpd_can_network_connect": False, "httpd_setrlimit": True}
    machine.file("/sys/fs/selinux/enforce", "0")
    assert read_security(Source(tmp_path)).selinux == "permissive"


def test_selinux_that_is_off_or_not_seen(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/etc/selinux/config", "# SELINUX=x\nSELINUX=enforcing\nSELINUXTYPE=targeted\n")
    assert read_security(Source(tmp_path)).selinux is None
    machine.file("/proc/filesystems", "nodev\tsysfs\nnodev\tproc\nnodev\tselinuxfs\n\text4\n")
    assert read_security(Source(tmp_path)).selinux is None  # in a container
    machine.file("/proc/filesystems", "nodev\tsysfs\nnodev\tproc\n\text4\n")
    assert read_security(Source(tmp_path)).selinux == "disabled"  # selinux=0 at boot
    assert selinux_of_configuration("SELINUX = Disabled\n") == "disabled"
    assert selinux_of_configuration("SELINUXTYPE=mls\n") is None
    assert parse_boolean("") is None


def test_apparmor(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/sys/module/apparmor/parameters/enabled", "Y\n")
    machine.file("/sys/kernel/security/apparmor/profiles", PROFILES)
    told = read_security(Source(tmp_path))
    assert told.apparmor is True
    assert told.apparmor_profiles == {
        "/opt/llama.cpp/bin/llama-server": "unconfined",
        "/usr/sbin/nginx": "enforce",
        "/usr/sbin/nginx//log": "enforce",
        "ray": "enforce",
        "snap.ollama.ollama": "complain",
    }
    assert list(told.apparmor_profiles) == sorted(told.apparmor_profiles)
    machine.file("/sys/module/apparmor/parameters/enabled", "N\n")
    assert read_security(Source(tmp_path)).apparmor is False
    assert parse_profiles("\ufffd" * 50) == {}


def test_a_kept_firewall_answers_for_its_tables(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for program in ("/usr/sbin/firewalld", "/usr/bin/systemctl", "/usr/sbin/nft"):
        machine.file(program, "")
    ask = "/usr/bin/systemctl is-active firewalld.service"
    host = Answers(tmp_path, said={ask: "active\n"})
    assert read_firewall(host) == ("firewalld",)
    assert host.asked == [ask]
    machine.file("/etc/ufw/ufw.conf", "# x\nENABLED=yes\nLOGLEVEL=low\n")
    off = Answers(tmp_path, said={ask: "inactive\n"}, codes={ask: 3})
    assert read_firewall(off) == ("ufw",)


def test_nftables_counts_where_it_filters_what_comes_in(tmp_path: Path) -> None:
    Machine(tmp_path).file("/usr/sbin/nft", "")
    chains = "/usr/sbin/nft list chains"
    one = "/usr/sbin/nft -t list chain ip filter INPUT"
    assert read_firewall(Answers(tmp_path, said={chains: CHAINS, one: EMPTY})) == ("nftables",)
    both = Answers(tmp_path, said={chains: CHAINS, one: RULES})
    assert read_firewall(both) == ("iptables", "nftables")
    assert read_firewall(Answers(tmp_path, said={chains: EMPTY, one: EMPTY})) == ()
    # Without root it says nothing but an error.
    assert read_firewall(Answers(tmp_path, said={chains: ""}, codes={chains: 1})) == ()


def test_old_iptables_is_asked_only_where_its_table_is_loaded(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.file("/usr/sbin/iptables", "")
    machine.file("/usr/sbin/iptables-legacy", "")
    ask = "/usr/sbin/iptables-legacy -S INPUT"
    host = Answers(tmp_path, said={ask: "-P INPUT DROP\n"})
    assert read_firewall(host) == ()
    assert host.asked == []
    machine.file("/proc/net/ip_tables_names", "nat\nfilter\n")
    assert read_firewall(host) == ("iptables",)
    assert read_firewall(Answers(tmp_path, said={ask: "-P INPUT ACCEPT\n"})) == ()


def test_parsers_of_firewalls() -> None:
    assert parse_chains(CHAINS) == (
        Chain("inet", "mine", "incoming", True),
        Chain("ip", "filter", "INPUT", False),
    )
    assert parse_chains("type filter hook input\nchain\ntable x\n") == ()
    assert has_rules(RULES) and not has_rules(EMPTY) and not has_rules("")
    assert is_filtering("-P INPUT ACCEPT\n-A INPUT -s 10.0.0.0/8 -j DROP\n")
    assert not is_filtering("-P INPUT ACCEPT\n")
    assert is_ufw_enabled('ENABLED="yes"\n') and not is_ufw_enabled("#ENABLED=yes\nENABLED=no\n")
