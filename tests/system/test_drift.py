"""Drift on a host that runs: each thing is changed by hand, found, told, and put right again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .machine import Host
from .testbed.fleet import Fleet

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

UNIT = "llama-server@chat.0.service"
FOLDER = f"/etc/systemd/system/{UNIT}.d"
TEXTFILE = "/var/lib/prometheus/node-exporter/provision.prom"
ENGINE = "/usr/local/bin/llama-server"
# It looks once, and not again while engines are stopped by hand: a slow machine would have others
# told here for being unwell, too.
WATCH = {"interval_seconds": 3600, "timeout_seconds": 60}
SPEC = {
    "version": 1,
    "instances": {
        "chat": {
            "engine": "llama-server",
            "model": "/opt/models/tiny.gguf",
            "gpus": 0,
            "numa": "off",
            "context": 256,
        }
    },
    "proxy": {"listen": 8080, "watch": WATCH},
    "drift": {"every_minutes": 60, "textfile": TEXTFILE},
}


class DriftHost(Host):
    """A host that says how it stands."""

    def status(self, expected: int) -> dict[str, Any]:
        code, said = self.code("provision status --json")
        found: dict[str, Any] = json.loads(said)
        assert code == expected, found["drift"]
        return found

    def kinds(self) -> list[tuple[str, str]]:
        """What is told of the host that is not as applied."""
        return [(one["kind"], one["subject"]) for one in self.status(7)["drift"]["items"]]

    def is_fine(self) -> None:
        found = self.status(0)
        assert found["drift"]["items"] == []
        assert found["drift"]["unknown"] == []


@pytest.fixture(scope="module")
def host(container: Fleet) -> Iterator[DriftHost]:
    one = DriftHost(container.hosts[0].shell)
    one.spec(json.dumps(SPEC))
    one.run("provision apply /root/host.yaml --yes --steady 0 2>&1")
    yield one


def test_a_host_as_it_was_applied(host: DriftHost) -> None:
    found = host.status(0)
    assert found["drift"]["items"] == [] and found["drift"]["unknown"] == []
    (chat,) = found["instances"]
    assert (chat["active"], chat["configuration"]) == ("active", "current")
    assert (chat["balanced"], chat["out"]) == (True, "")
    shown = host.run("provision status")
    assert f"  chat.0     {UNIT}   active   current         in         " in shown
    code, said = host.code("provision diff /root/host.yaml")
    assert (code, said) == (0, "")


def test_settings_of_others_over_ours(host: DriftHost) -> None:
    host.run(f"mkdir -p {FOLDER} && printf '[Service]\\nNice=5\\n' > '{FOLDER}/90-mine.conf'")
    assert ("file-foreign", f"{FOLDER}/90-mine.conf") not in host.kinds(), "told when it is loaded"
    host.run("systemctl daemon-reload")
    shown = host.code("provision status")[1]
    assert "unit-overridden" in shown and f"{FOLDER}/90-mine.conf sets Nice" in shown
    code, said = host.code("provision diff /root/host.yaml")
    assert code == 2 and "Not as applied" in said and "90-mine.conf" in said
    host.run(f"rm '{FOLDER}/90-mine.conf'; systemctl daemon-reload")
    host.run(f"systemctl set-property --runtime {UNIT} MemoryHigh=8G")
    items = host.status(7)["drift"]["items"]
    assert [one["kind"] for one in items] == ["unit-overridden"]
    assert "MemoryHigh" in items[0]["actual"] and "/run/systemd/" in items[0]["actual"]
    host.run(f"rm -r /run/systemd/system.control/{UNIT}.d; systemctl daemon-reload")
    host.is_fine()


def test_a_unit_file_in_the_place_of_ours(host: DriftHost) -> None:
    full = f"/etc/systemd/system/{UNIT}"
    host.run(f"cp /etc/systemd/system/llama-server@.service {full}; systemctl daemon-reload")
    assert host.kinds() == [("unit-overridden", UNIT)]
    host.run(f"rm {full}; ln -s /dev/null {full}; systemctl daemon-reload")
    assert ("unit-masked", UNIT) in host.kinds()
    host.run(f"rm {full}; systemctl daemon-reload")
    host.is_fine()


def test_a_file_that_systemd_has_not_read_again(host: DriftHost) -> None:
    path = f"{FOLDER}/10-provision.conf"
    host.run(f"cp {path} /root/kept; echo '# by hand' >> {path}")
    assert host.kinds() == [("file-edited", path), ("unit-stale", UNIT)]
    host.run(f"chown daemon: {path}; chmod 600 {path}")
    host.run(f"cat /root/kept > {path}; systemctl daemon-reload")
    assert host.kinds() == [("file-mode", path), ("file-owner", path)]
    host.run(f"chown root: {path}; chmod 644 {path}")
    host.is_fine()


def test_units_that_do_not_run_or_start_at_boot(host: DriftHost) -> None:
    link = host.run(f"find /etc/systemd/system -name '{UNIT}' -type l").strip()
    target = host.run(f"readlink {link}").strip()
    host.run(f"systemctl stop {UNIT} provision-drift.timer; rm {link}")
    host.run("systemctl disable -q nginx")
    found = host.kinds()
    assert [one for one in found if one[0] != "unit-stale"] == [
        ("unit-disabled", UNIT),
        ("unit-disabled", "nginx.service"),
        ("unit-down", UNIT),
        ("unit-down", "provision-drift.timer"),
    ]
    host.run(f"ln -s {target} {link}; systemctl daemon-reload")
    host.run(f"systemctl enable -q nginx; systemctl start {UNIT} provision-drift.timer")
    host.is_fine()


def test_a_process_that_somebody_started_otherwise(host: DriftHost) -> None:
    digest = "/etc/provision/instances/chat.0.digest"
    host.run(f"cp {digest} /root/kept; echo PROVISION_DIGEST=other > {digest}")
    host.run(f"systemctl restart {UNIT}")
    assert host.kinds() == [("file-edited", digest), ("older", "chat.0")]
    assert host.status(7)["instances"][0]["configuration"] == "older"
    host.run(f"cat /root/kept > {digest}; systemctl restart {UNIT}")
    host.is_fine()


def test_files_that_nginx_has_not_loaded(host: DriftHost) -> None:
    host.run("echo '# mine' > /etc/nginx/provision/mine.conf")
    assert host.kinds() == [
        ("file-foreign", "/etc/nginx/provision/mine.conf"),
        ("nginx-older", "nginx"),
    ]
    host.run("rm /etc/nginx/provision/mine.conf")
    host.is_fine()


def test_a_generation_that_awaits_its_confirmation(host: DriftHost) -> None:
    spec = {**SPEC, "proxy": {"listen": 8090, "watch": WATCH}}
    host.spec(json.dumps(spec))
    host.run("provision apply /root/host.yaml --yes --confirm 600 2>/dev/null", timeout=300)
    found = host.status(0)
    assert found["drift"]["unconfirmed"]["back_to"] == 1
    assert "Generation 2 goes back to generation 1 in " in host.run("provision status")
    host.run("systemctl start provision-drift.service")
    assert "provision_unconfirmed 1\n" in host.run(f"cat {TEXTFILE}")
    assert host.run("provision confirm") == "Confirmed: generation 2 stays.\n"
    assert "confirm" not in host.run("provision status")
    assert "8090" in host.run("provision diff --from 1; true")
    assert "(llama-server 11549)" in host.run("provision history")
    host.run(
        "sed -i.was 's/^BUILD, COMMIT, COMPILER = 11549/BUILD, COMMIT, COMPILER = 11600/' " + ENGINE
    )
    code, said = host.code("provision rollback --check 2>&1")
    assert code == 2
    assert f"warning: {ENGINE} has version 11600 now, and had 11549 then" in said
    host.run(f"mv {ENGINE}.was {ENGINE}")
    said = host.run("provision rollback --yes 2>&1", timeout=300)
    assert "warning" not in said
    assert "  3 now " in host.run("provision history")
    host.spec(json.dumps(SPEC))
    assert host.code("provision diff /root/host.yaml") == (0, "")
    host.is_fine()


def test_the_timer_writes_what_prometheus_reads(host: DriftHost) -> None:
    host.run(f"rm -f {TEXTFILE}; echo '# mine' > /etc/nginx/provision/mine.conf")
    code, _ = host.code("systemctl start provision-drift.service")
    assert code != 0, "systemctl --failed shows that something differs"
    text = host.run(f"cat {TEXTFILE}")
    assert 'provision_drift{kind="file-foreign"} 1\n' in text
    assert 'provision_drift{kind="nginx-older"} 1\n' in text
    assert 'provision_drift{kind="unit-down"} 0\n' in text
    host.run("rm /etc/nginx/provision/mine.conf; systemctl start provision-drift.service")
    assert 'provision_drift{kind="file-foreign"} 0\n' in host.run(f"cat {TEXTFILE}")
    assert host.run(f"ls {TEXTFILE.rpartition('/')[0]}").split() == ["provision.prom"]
    host.is_fine()


def test_the_timer_goes_off_again_and_again(host: DriftHost) -> None:
    """As it was rendered but for its times; after a look that found something, too: those fail."""
    folder = "/etc/systemd/system/provision-drift.timer.d"
    times = "[Timer]\\nOnActiveSec=\\nOnActiveSec=1\\nOnUnitActiveSec=2\\nAccuracySec=100ms\\n"
    host.run(f"mkdir {folder} && printf '{times}' > {folder}/soon.conf && systemctl daemon-reload")
    host.run("systemctl restart provision-drift.timer")
    for _ in range(3):
        host.run(
            f"rm -f {TEXTFILE}; timeout 100 sh -c 'until [ -e {TEXTFILE} ]; do sleep 0.2; done'"
        )
    text = host.run(f"cat {TEXTFILE}")
    assert 'provision_drift{kind="unit-overridden"} 1\n' in text
    host.run(f"systemctl stop provision-drift.timer; rm -r {folder}; systemctl daemon-reload")
    host.code("systemctl stop provision-drift.service")
    host.run("systemctl start provision-drift.timer && systemctl start provision-drift.service")
    host.is_fine()


def test_somebody_else_than_root_sees_what_may_be_seen(host: DriftHost) -> None:
    host.run("systemctl disable -q nginx")
    code, said = host.code("runuser -u nobody -- provision status")
    assert code == 7
    assert "unit-disabled  nginx.service  disabled" in said
    assert " could not be looked at without root." in said
    host.run("systemctl enable -q nginx")
    code, said = host.code("runuser -u nobody -- provision status")
    assert code == 0, said
