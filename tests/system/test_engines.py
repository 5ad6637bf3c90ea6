"""Ollama and vLLM as stand-ins, on a host where a vendor's installer was before; the rest is real.

What is proven here is ours: units, guard, secrets, the takeover of a vendor's own unit, keys in
nginx. On a container, which is many times faster than the virtual machine; its GPUs are known to
NVML alone, and what is pinned where plays no part. The tests build on one another and run in the
order of this file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from .machine import Host, install_nvml
from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
KEY = "sk-a-key-of-the-test.1+2"
CARDS = ("0000:01:00.0", "0000:41:00.0", "0000:81:00.0", "0000:c1:00.0")  # as NVML counts them
PLAN = "/root/plan.json"
SPEC = """\
version: 1
takeover: true
instances:
  talk:
    engine: ollama
    model: tiny:1b
    gpus: 1
    models_dir: /usr/share/ollama/.ollama/models
    port: 11434
  big:
    engine: vllm
    model: /opt/models/tiny
    gpus: 2
    context: 2048
    secrets:
      VLLM_API_KEY: {file: /root/keys}
  direct:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 1
    context: 256
    kv_cache: q8_0
    draft_model: /opt/models/draft.gguf
gpu_settings:
  persistence: true
  power_limit_watts: 400
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
def host(container: Fleet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The host as a vendor's installer leaves it: ollama.service enabled, running, one model."""
    shell = container.hosts[0].shell
    install_nvml(shell, tmp_path_factory.mktemp("nvml"), CARDS)
    container.stand_in(0, "ollama", "vllm")
    one = Host(shell)
    one.run("cat > /etc/systemd/system/ollama.service", input=VENDOR_UNIT)
    one.run(
        "useradd -r -s /bin/false -U -m -d /usr/share/ollama ollama"
        " && systemctl daemon-reload && systemctl enable -q --now ollama"
        " && for i in $(seq 300); do curl -sf http://127.0.0.1:11434/ && break; sleep 0.1; done"
        ' && curl -sf http://127.0.0.1:11434/api/pull -d \'{"model": "tiny:1b"}\''
    )
    one.run("cp /opt/models/tiny.gguf /opt/models/draft.gguf")
    one.run("umask 077; cat > /root/keys", input=f"{KEY}\n")
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
    host.run(f"provision plan /root/host.yaml -o {PLAN}")
    assert host.apply(PLAN)["changed"] is True
    assert host.run("systemctl is-active ollama", check=False).strip() == "inactive"
    host.verify()
    assert host.apply()["changed"] is False


def test_guard_gives_vllm_the_indices_of_this_boot_and_the_secret(host: Host) -> None:
    """Those of the planned cards, which are not the first ones: another instance has that."""
    values = host.environment("vllm@big.0")
    plan = json.loads(host.run(f"cat {PLAN}"))
    (big,) = (one for one in plan["instances"] if one["name"] == "big.0")
    assert len(big["gpus"]) == 2
    places = [CARDS.index(gpu["address"]) for gpu in big["gpus"]]
    assert 0 not in places
    assert values["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert values["CUDA_VISIBLE_DEVICES"] == ",".join(map(str, places))
    assert values["VLLM_API_KEY"] == KEY
    assert KEY not in host.run(f"cat /proc/{host.pid('vllm@big.0')}/cmdline")
    assert host.run("stat -c '%a %U' /run/provision/big.0.env").split() == ["600", "root"]
    everything = "/etc/provision /etc/systemd/system /var/lib/provision"
    assert host.run(f"grep -rlF {KEY} {everything}", check=False) == ""


def test_a_gpu_setting_that_is_dropped_goes_back_alone(host: Host) -> None:
    units = host.invocations(UNITS)
    host.limits_are(400)
    host.spec(SPEC.replace("  power_limit_watts: 400\n", ""))
    assert host.apply()["changed"] is True
    host.limits_are(None, persistence=True)
    host.spec(SPEC)
    assert host.apply()["changed"] is True
    host.limits_are(400)
    after = host.invocations(UNITS)
    assert {unit: after[unit] for unit in UNITS} == {unit: units[unit] for unit in UNITS}


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
        "for i in $(seq 200); do curl -sf http://127.0.0.1:11434/api/tags && break; sleep 0.1; done"
    )
    assert "tiny:1b" in tags, "models stay"
    assert host.run("find /etc/provision /usr/local/lib/provision", check=False) == ""
    host.limits_are(None)
