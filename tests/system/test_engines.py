"""Ollama, vLLM and numactl on the real two-node machine; the engines are stand-ins, the rest real.

What is proven here is ours: units, guard, secrets, pins in numactl's form, the takeover of a
vendor's own unit, keys in nginx. The tests build on one another and run in the order of this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .machine import CHECKOUT, Host, install_nvml
from .testbed.vm import Vm

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
KEY = "sk-a-key-of-the-test.1+2"
SPEC = """\
version: 1
takeover: true
instances:
  talk:
    engine: ollama
    model: tiny:1b
    gpus: {node: 0}
    models_dir: /usr/share/ollama/.ollama/models
    port: 11434
  big:
    engine: vllm
    model: /opt/models/tiny
    gpus: {node: 1, count: 2}
    context: 2048
    secrets:
      VLLM_API_KEY: {file: /root/keys}
  direct:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: {node: 0}
    pin: numactl
    context: 256
    kv_cache: q8_0
    draft_model: /opt/models/draft.gguf
proxy:
  listen: 0.0.0.0:8443
  keys: {file: /root/keys}
"""
UNITS = ("ollama@talk.0", "vllm@big.0", "llama-server@direct.0")
VENDOR_UNIT = """\
[Unit]
Description=Ollama Service
After=network-online.target

[Service]
ExecStart=/usr/local/bin/ollama serve
User=ollama
Group=ollama
Restart=always
RestartSec=3

[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def host(vm: Vm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The machine as a vendor's installer leaves it: ollama.service enabled, running, one model."""
    vm.install(CHECKOUT)
    install_nvml(vm.shell, tmp_path_factory.mktemp("nvml"))
    vm.stand_in("ollama", "vllm")
    one = Host(vm.shell)
    vm.ssh("cat > /etc/systemd/system/ollama.service", input=VENDOR_UNIT)
    one.run(
        "useradd -r -s /bin/false -U -m -d /usr/share/ollama ollama"
        " && systemctl daemon-reload && systemctl enable -q --now ollama"
        " && for i in $(seq 30); do curl -sf http://127.0.0.1:11434/ && break; sleep 1; done"
        ' && curl -sf http://127.0.0.1:11434/api/pull -d \'{"model": "tiny:1b"}\''
    )
    one.run("cp /opt/models/tiny.gguf /opt/models/draft.gguf")
    vm.ssh("umask 077; cat > /root/keys", input=f"{KEY}\n")
    one.spec(SPEC)
    yield one


def test_a_vendors_unit_on_the_port_is_named_with_the_way_out(host: Host) -> None:
    host.spec(SPEC.replace("takeover: true\n", ""))
    files = host.files()
    code, said = host.code("provision apply /root/host.yaml --yes")
    assert code == 1, said
    assert "ollama.service" in said and "takeover: true" in said
    assert host.files() == files
    assert host.run("systemctl is-active ollama").strip() == "active"


def test_apply_takes_over_and_verify_is_green(host: Host) -> None:
    host.spec(SPEC)
    assert host.apply()["changed"] is True
    assert host.run("systemctl is-active ollama", check=False).strip() == "inactive"
    host.verify()
    assert host.apply()["changed"] is False


def test_guard_gives_vllm_the_indices_of_this_boot_and_the_secret(host: Host) -> None:
    values = host.environment("vllm@big.0")
    assert values["CUDA_VISIBLE_DEVICES"] == "2,3"
    assert values["VLLM_API_KEY"] == KEY
    assert KEY not in host.run(f"cat /proc/{host.pid('vllm@big.0')}/cmdline")
    assert host.run("stat -c '%a %U' /run/provision/big.0.env").split() == ["600", "root"]
    everything = "/etc/provision /etc/systemd/system /var/lib/provision"
    assert host.run(f"grep -rlF {KEY} {everything}", check=False) == ""


def test_numactl_form_pins_the_live_process(host: Host) -> None:
    pid = host.pid("llama-server@direct.0")
    threads = host.run(f"grep -h Cpus_allowed_list /proc/{pid}/task/*/status")
    assert {line.split()[1] for line in threads.splitlines()} == {"0-1"}
    assert "prefer" in host.run(f"head -30 /proc/{pid}/numa_maps")
    assert "CPUAffinity=\n" in host.run("systemctl show -p CPUAffinity llama-server@direct.0")


def test_the_draft_model_drafts_over_a_quantised_cache(host: Host) -> None:
    """llama.cpp loads a draft model without asking it where the kind of speculation is not named,
    and refuses a quantised cache without flash attention."""
    port = host.run("systemctl cat llama-server@direct.0 | grep -oP -- '--port \\K[0-9]+'").strip()
    metrics = host.run(
        f"curl -sf -m 60 http://127.0.0.1:{port}/v1/completions -o /dev/null"
        ' -d \'{"prompt": "Hi", "max_tokens": 12, "temperature": 0}\''
        f" && curl -sf -m 60 http://127.0.0.1:{port}/metrics"
    )
    drafted = [line for line in metrics.splitlines() if "spec_decode_num_draft_tokens" in line]
    assert int(drafted[-1].split()[-1]) > 0, metrics


def test_keys_open_the_proxy_and_nothing_else_does(host: Host) -> None:
    body = json.dumps({"model": "tiny:1b", "messages": [{"role": "user", "content": "hi"}]})
    ask = (
        "curl -s -o /dev/null -w '%{http_code}' -m 60 -H 'Content-Type: application/json'"
        f" -d '{body}' http://127.0.0.1:8443/v1/chat/completions"
    )
    assert host.run(f"{ask} -H 'Authorization: Bearer {KEY}'") == "200"
    refused = ("X-Nothing: 1", "Authorization: Bearer ", f"Authorization: Bearer {KEY.upper()}")
    for header in refused:
        assert host.run(f"{ask} -H '{header}'") == "401", header


def test_remove_gives_the_vendors_unit_back(host: Host) -> None:
    code, said = host.code("provision remove --yes")
    assert code == 0, said
    assert host.run("systemctl is-enabled ollama").strip() == "enabled"
    assert host.run("systemctl is-active ollama").strip() == "active"
    assert host.run("getent passwd ollama | cut -d: -f6").strip() == "/usr/share/ollama"
    tags = host.run(
        "for i in $(seq 20); do curl -sf http://127.0.0.1:11434/api/tags && break; sleep 1; done"
    )
    assert "tiny:1b" in tags, "models stay"
    assert host.run("find /etc/provision /usr/local/lib/provision", check=False) == ""
