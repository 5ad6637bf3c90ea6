"""What a recording keeps: as much as inspection needs, and nothing of what it does not."""

from __future__ import annotations

import pytest

from provision.host.inspect.nvidia.log import parse_log
from provision.host.inspect.recording.privacy import (
    is_model,
    is_private,
    kept_output,
    kept_part,
    unit_without_secrets,
)
from provision.host.inspect.running.placed import STATE, parse_state
from provision.host.inspect.software.exporters import started_program
from provision.host.inspect.software.nginx import parse_main
from provision.host.inspect.system.firewall import has_rules, is_filtering

_LOG = """\
[    0.000000] Linux version 6.1.0 (builder@somewhere)
[    9.100000] usb 1-2: SerialNumber: 4C530001
[   77.000001] NVRM: Xid (PCI:0000:c1:00): 79, pid='<unknown>', GPU has fallen off the bus.
[   78.000001] nvidia-nvswitch0: SXid (PCI:0000:05:00.0): 20034, Fatal, Link 30
[   79.000000] audit: user=marguerite exe="/bin/su"
"""


@pytest.mark.parametrize(
    "path",
    [
        "/etc/shadow",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/ssl/private/site.pem",
        "/etc/llm/site.key",
        "/home/x/.ssh/config",
        "/opt/app/.env",
        "/opt/tabbyAPI/api_tokens.yml",
        "/proc/12/environ",
        "/proc/12/cmdline",
        "/proc/12/maps",
        "/proc/12/fd/3",
        "/proc/kcore",
        "/dev/nvidia0",
        "/sys/devices/pci0000:16/0000:16:01.0/vpd",
        "/sys/firmware/dmi/tables/DMI",
    ],
)
def test_never_kept(path: str) -> None:
    assert is_private(path)


@pytest.mark.parametrize(
    "path",
    [
        "/proc/12/comm",
        "/proc/12/cgroup",
        "/proc/2/task/2/children",
        "/proc/12/net/tcp6",
        "/proc/meminfo",
        "/etc/os-release",
        "/srv/models/tokenizer.json",
        "/sys/devices/pci0000:16/0000:16:01.0/config",
    ],
)
def test_kept(path: str) -> None:
    assert not is_private(path)


def test_of_the_kernels_log_the_drivers_lines() -> None:
    for program in ("/usr/bin/dmesg", "journalctl"):
        kept = kept_output([program, "-k"], _LOG)
        assert parse_log(kept, 100.0) == parse_log(_LOG, 100.0)
        assert len(parse_log(kept).xids) == 2
        assert "marguerite" not in kept
        assert "4C530001" not in kept
        assert kept.startswith("[    0.000000]\n")  # the buffer has lost nothing
    assert kept_output(["dmesg"], "") == ""
    assert kept_output(["dmesg"], "no stamps\nNVRM: x\n") == "-\nNVRM: x\n"


@pytest.mark.parametrize(
    "path", ["/etc/environment", "/etc/profile", "/etc/bash.bashrc", "/etc/profile.d/proxy.sh"]
)
def test_of_what_shells_read_the_order_of_gpus(path: str) -> None:
    text = (
        b"https_proxy=http://me:secret@proxy\nexport CUDA_DEVICE_ORDER=PCI_BUS_ID\nHF_TOKEN=hf_x\n"
    )
    assert kept_part(path, text) == b"export CUDA_DEVICE_ORDER=PCI_BUS_ID\n"
    assert kept_part("/etc/profiles", text) == text


def test_of_nginx_what_it_loads_and_includes() -> None:
    text = (
        "load_module modules/ngx_http_js_module.so;\ninclude /etc/nginx/modules-enabled/*.conf;\n"
        'http { server { proxy_set_header Authorization "Bearer sk-1"; include secret.conf; } }\n'
    )
    kept = kept_part("/etc/nginx/nginx.conf", text.encode()).decode()
    assert parse_main(kept) == parse_main(text)
    assert parse_main(kept)[0] == ("ngx_http_js_module.so",)
    assert "sk-1" not in kept


def test_of_units_the_programs() -> None:
    text = (
        "[Service]\nUser=x\nEnvironment=A=sk-1 \\\n B=sk-2\nEnvironment='C=sk-3'\n"
        "ExecStart=-/bin/sh -c 'exec /opt/bin/node_exporter --web.password=sk-4' \\\n --key sk-5\n"
        "Restart=always\n"
    )
    kept = unit_without_secrets(text)
    assert "sk-" not in kept
    assert started_program(kept) == started_program(text) == "/opt/bin/node_exporter"
    assert "User=x" in kept
    assert "Restart=always" in kept


def test_of_firewalls_that_there_are_rules() -> None:
    chain = (
        "table inet filter {\n\tchain input {\n\t\ttype filter hook input priority filter;\n"
        "\t\tip saddr 203.0.113.7 accept\n\t}\n}\n"
    )
    kept = kept_output(["/usr/sbin/nft", "-t", "list", "chain", "inet", "filter", "input"], chain)
    assert has_rules(kept)
    assert "203.0.113.7" not in kept
    empty = chain.replace("\t\tip saddr 203.0.113.7 accept\n", "")
    assert not has_rules(kept_output(["nft", "list", "chain", "x"], empty))
    for rules in ("-P INPUT ACCEPT\n-A INPUT -s 203.0.113.7 -j DROP\n", "-P INPUT DROP\n"):
        kept = kept_output(["iptables", "-S", "INPUT"], rules)
        assert is_filtering(kept)
        assert "203.0.113.7" not in kept
    assert not is_filtering(kept_output(["iptables", "-S", "INPUT"], "-P INPUT ACCEPT\n"))


def test_of_our_record_the_placements() -> None:
    text = '{"bundle": {"artifacts": [{"content": "sk-1"}], "instances": [{"placed": {"instance":'
    text += ' "a.0", "engine": "vllm", "unit": "a.service"}}]}}'
    kept = kept_part(STATE, text.encode()).decode()
    assert "sk-1" not in kept
    assert parse_state(kept) == parse_state(text)
    assert parse_state(kept).placed[0].instance == "a.0"
    for broken in ("{", "sk-1 no JSON", "[]", "{}"):
        kept = kept_part(STATE, broken.encode()).decode()
        assert "sk-1" not in kept
        assert (parse_state(kept).problem is None) == (parse_state(broken).problem is None)


def test_which_files_of_a_spec_are_models() -> None:
    assert is_model(["/m/x.gguf"], b"GGUF\x03")
    assert is_model(["/m/blob"], b"GGUF\x03")
    assert is_model(["/m/x.safetensors"], (9).to_bytes(8, "little") + b"{")
    assert is_model(["/m/config.json", "/m/blobs/0a1b"], b' {"a": 1}')
    assert is_model(["/o/manifests/registry.ollama.ai/library/qwen3/8b"], b'{"layers": []}')
    assert not is_model(["/etc/llm/keys"], b"sk-1")
    assert not is_model(["/etc/llm/keys.json"], b'{"key": "sk-1"}')
    assert not is_model(["/etc/llm/config.json"], b"sk-1")
    assert not is_model(["/m/x.safetensors"], b"sk-1")
