"""The power goes off while something changes: after the boot all is old or all is new, unhelped.

A real ext4 with its journal on a virtual disk. A killed QEMU loses the guest's page cache, and
keeps what the guest has synced: that is what a power loss does. When it comes is drawn from
PROVISION_TORTURE_SEED; what the machine does at that moment is another thing each time. And what
was applied with --confirm goes back by itself where the power is lost before anybody confirms.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import time
from pathlib import Path

import pytest

from provision import pipeline
from provision.host.document import dumps, loads
from provision.host.facts import Facts
from tests.torture.sampling import seed_of

from .machine import CHECKOUT, Host
from .testbed import product
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
AGENT = f"PYTHONPATH=/opt/agent:{product.LIBRARY} python3 -P -m host"
# What is cut, and the seconds that it takes here from its journal to its end: a cut behind that is
# one of nothing. `unconfirmed`: an apply that came to its end.
KINDS = {"first": 40.0, "update": 40.0, "rollback": 40.0, "remove": 12.0, "unconfirmed": 5.0}
DEAR = {"rollback"}  # two applies come first: only where all kinds are cut
TAKEN_BACK_SECONDS = 300.0
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
    with tempfile.TemporaryDirectory() as folder:  # the host half alone: it is planned here
        staged = product.stage(CHECKOUT, Path(folder) / "lib", vm.image)
        vm.put(staged / "provision" / "host", "/opt/agent/host")
    one = Host(vm.shell)
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
    chosen = sorted(KINDS if len(KINDS) <= CUTS else KINDS.keys() - DEAR)
    kinds = numbers.sample(chosen, len(chosen))
    stands = BARE
    for number in range(CUTS):
        kind = kinds[number % len(kinds)]
        stands = _prepared(host, kind, stands)
        wanted = BARE if kind == "remove" else NEW if stands == OLD else OLD
        seconds = numbers.uniform(0, KINDS[kind])
        where = f"PROVISION_TORTURE_SEED={seed}: cut {number} of {kind}, after {seconds:.1f} s"
        where += f", {stands} stands, {wanted} is to come"
        print(where)
        host.run("echo synced > /root/synced; sync /root/synced /root")
        _begin(host, kind, wanted, f"cut-{number}")
        time.sleep(seconds)
        host.run(f"echo lost > /root/not-synced-{number}")
        vm.power_off_hard()
        booted = vm.boot()
        assert host.run("cat /root/synced") == "synced\n"
        assert host.run(f"cat /root/not-synced-{number}", check=False) == "", "a cut of nothing"
        if kind == "unconfirmed":
            _wait_taken_back(host, where)
        else:
            host.run("systemctl is-system-running --wait", check=False, timeout=400)
        allowed = (stands,) if kind == "unconfirmed" else (stands, wanted)
        wrong = {one: _wrong(host, one) for one in allowed}
        stands = min(wrong, key=lambda one: len(wrong[one]))
        print(f"    {stands} stands after a boot of {booted:.1f} s")
        recovered = host.run("journalctl -b -o cat -u provision-recover --no-pager", check=False)
        assert not wrong[stands], f"{where}: {wrong}\n{recovered}"
        if stands != BARE:
            assert _answer(host) == "200", f"{where}: the proxy does not answer\n{recovered}"
    _done(host, "remove")
    assert _wrong(host, BARE) == []


def _prepared(host: Host, kind: str, stands: str) -> str:
    """What stands once this kind can begin; a rollback has something to go back to then."""
    if kind == "first" and stands != BARE:
        _done(host, "remove")
        stands = BARE
    if kind in ("update", "rollback", "remove") and stands == BARE:
        _done(host, f"apply < {OLD}")
        stands = OLD
    if kind == "rollback":
        stands = NEW if stands == OLD else OLD
        _done(host, f"apply < {stands}")
    host.run("sync")
    return stands


def _begin(host: Host, kind: str, wanted: str, unit: str) -> None:
    """Start what is to be cut and wait for its journal; of the last kind wait for the end."""
    if kind == "unconfirmed":
        _done(host, f"apply --confirm 3600 < {wanted}")
        return
    words = kind if kind in ("rollback", "remove") else "apply"
    host.run(
        f"systemd-run -q --unit={unit} -p Environment=PYTHONPATH=/opt/agent:{product.LIBRARY}"
        f" -p StandardInput=file:{wanted} python3 -P -m host {words};"
        " for i in $(seq 1000); do [ -e /var/lib/provision/journal.json ] && exit;"
        f" systemctl is-active -q {unit} || break; sleep 0.1; done;"
        f" journalctl -o cat -u {unit} --no-pager | grep -q '^ok' || exit 1"
    )


def _wait_taken_back(host: Host, where: str) -> None:
    """Until nothing waits any more: the timer that the boot set off has come to its end."""
    deadline = time.monotonic() + TAKEN_BACK_SECONDS
    waits = "ls /var/lib/provision/confirm.json /var/lib/provision/journal.json 2>/dev/null;"
    waits += " systemctl is-active provision-unconfirmed.service | grep -v inactive"
    while host.run(waits, check=False):
        assert time.monotonic() < deadline, f"{where}: it was not taken back"
        time.sleep(2)


def _done(host: Host, words: str) -> None:
    code, said = host.code(f"{AGENT} {words}")
    assert code == 0, said


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
