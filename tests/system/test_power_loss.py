"""The power goes off in the middle of an apply: after the boot all is old or all is new, unhelped.

A real ext4 with its journal on a virtual disk. A killed QEMU loses the guest's page cache, and
keeps what the guest has synced: that is what a power loss does. When it comes is drawn from
PROVISION_TORTURE_SEED; what the machine does at that moment is another thing each time.
"""

from __future__ import annotations

import json
import os
import random
import time

import pytest

from provision import pipeline
from provision.host.document import dumps, loads
from provision.host.facts import Facts
from tests.torture.sampling import seed_of

from .machine import CHECKOUT, Host
from .testbed.vm import Vm

pytestmark = [pytest.mark.system, pytest.mark.timeout(7200)]
CUTS = int(os.environ.get("PROVISION_TORTURE_POWER_CUTS", "1"))
SPEC = """\
version: 1
instances:
  chat:
    engine: llama-server
    model: /opt/models/tiny.gguf
    gpus: 0
    context: 256
    drain_seconds: 5
proxy:
  listen: 8080
"""
CHANGED = SPEC.replace("context: 256\n", "context: 512\n    env: {LLAMA_MARK: '1'}\n")
BARE, OLD, NEW = "/root/bare.json", "/root/old.json", "/root/new.json"
AGENT = "PYTHONPATH=/opt/provision/lib python3 -P -m provision.host"
# What an apply takes here from its journal to its end; a cut behind it is one of nothing.
APPLY_SECONDS = 40.0
# Compares disk and processes with a bundle, and looks for what only the other bundle has.
ORACLE = r"""
import base64, json, os, subprocess, sys
wanted, *others = (json.load(open(name)) for name in sys.argv[1:])
paths = {one["path"]: one for one in wanted["artifacts"]}
for path in sorted({one["path"] for other in others for one in other["artifacts"]}):
    if path not in paths and os.path.lexists(path):
        print("too much:", path)
if not paths and os.path.lexists("/var/lib/provision"):
    print("too much: /var/lib/provision", os.listdir("/var/lib/provision"))
for path, one in paths.items():
    if path == wanted["nginx"]["answer"]:
        continue
    if not os.path.lexists(path):
        print("missing:", path)
    elif one["kind"] == "link":
        os.readlink(path) == one["content"] or print("leads elsewhere:", path)
    else:
        decode = base64.b64decode if one["encoding"] == "base64" else str.encode
        open(path, "rb").read() == decode(one["content"]) or print("other content:", path)
        os.stat(path).st_mode & 0o777 == one["mode"] or print("other mode:", path)
for one in wanted["instances"]:
    show = ["systemctl", "show", "-p", "MainPID", "--value", one["unit"]]
    pid = subprocess.run(show, capture_output=True, text=True).stdout.strip()
    environment = open(f"/proc/{pid}/environ", "rb").read() if pid != "0" else b""
    mark = b"PROVISION_DIGEST=" + one["digest"].encode()
    mark in environment.split(b"\0") or print("does not run as meant:", one["unit"])
"""
LEFT = (
    "ls /var/lib/provision/journal.json 2>/dev/null;"
    " find /etc /usr/local /var/lib/provision -xdev -name '.provision-new-*';"
    " systemctl list-units --failed --plain --no-legend"
)


@pytest.fixture(scope="module")
def host(vm: Vm) -> Host:
    vm.install(CHECKOUT)
    one = Host(vm.shell)
    # Planned here: there it would take half a minute.
    request = dumps(pipeline.request(pipeline.read(SPEC, "host.yaml").spec))
    facts = loads(Facts, one.run(f"{AGENT} inspect", input=request).encode(), "facts")
    for spec, document in ((SPEC, OLD), (CHANGED, NEW)):
        bundle = pipeline.bundle(pipeline.plan(pipeline.read(spec, "host.yaml"), facts))
        one.run(f"cat > {document}", input=dumps(bundle))
    one.run(f"cat > {BARE}", input='{"artifacts": [], "instances": []}')
    one.run("cat > /root/oracle.py", input=ORACLE)
    return one


def test_power_loss_leaves_all_old_or_all_new(host: Host, vm: Vm, testrun_uid: str) -> None:
    seed = seed_of(testrun_uid)
    numbers = random.Random(f"{seed}/power")
    stands = BARE
    if numbers.random() < 0.5:  # else the first apply of all is cut
        code, said = host.code(f"{AGENT} apply < {OLD}")
        assert code == 0, said
        host.run("sync")
        stands = OLD
    for number in range(CUTS):
        wanted = NEW if stands == OLD else OLD
        seconds = numbers.uniform(0, APPLY_SECONDS)
        where = f"PROVISION_TORTURE_SEED={seed}: cut {number}, {seconds:.1f} s after the journal"
        where += f", {stands} stands, {wanted} is applied"
        print(where)
        host.run(
            f"systemd-run -q --unit=apply-{number} -p Environment=PYTHONPATH=/opt/provision/lib"
            f" -p StandardInput=file:{wanted} python3 -P -m provision.host apply;"
            " for i in $(seq 1200); do [ -e /var/lib/provision/journal.json ] && break;"
            " sleep 0.05; done"
        )
        time.sleep(seconds)
        vm.power_off_hard()
        booted = vm.boot()
        host.run("systemctl is-system-running --wait", check=False, timeout=400)
        wrong = {one: _wrong(host, one) for one in (stands, wanted)}
        stands = min(wrong, key=lambda one: len(wrong[one]))
        print(f"    {stands} stands after a boot of {booted:.1f} s")
        recovered = host.run("journalctl -b -o cat -u provision-recover --no-pager", check=False)
        assert not wrong[stands], f"{where}: {wrong}\n{recovered}"
        if stands != BARE:
            assert _answer(host) == "200", f"{where}: the proxy does not answer\n{recovered}"
    code, said = host.code(f"{AGENT} apply < {wanted}")
    assert code == 0, said
    assert _wrong(host, wanted) == []


def _wrong(host: Host, document: str) -> list[str]:
    """What is not as this document says, and what should not be there at all."""
    said = host.run(f"python3 -I /root/oracle.py {document} {OLD} {NEW}; {LEFT}", check=False)
    return said.splitlines()


def _answer(host: Host) -> str:
    body = json.dumps({"messages": [{"role": "user", "content": "hi"}], "max_tokens": 2})
    return host.run(
        "curl -s -o /dev/null -m 60 -w '%{http_code}' --retry 10 --retry-delay 2 --retry-all-errors"
        f" http://127.0.0.1:8080/v1/chat/completions -d '{body}'",
        check=False,
    )
