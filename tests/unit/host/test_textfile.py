"""Drift as numbers: the text that node_exporter's textfile collector reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from provision.host.errors import ProvisionError
from provision.host.files import Files
from provision.host.proof.drift import prometheus, write_textfile
from provision.host.proof.drift_report import (
    KINDS,
    Drifted,
    DriftReport,
    HeldOut,
    Unconfirmed,
    Unknown,
)

CHECKOUT = Path(__file__).resolve().parents[3]
REPORT = DriftReport(
    version=1,
    host="box",
    generation=12,
    items=(
        Drifted("cpus", "chat.0"),
        Drifted("cpus", "chat.1"),
        Drifted("interrupted", "journal"),
    ),
    unknown=(Unknown("GPU 0000:17:00.0", "no driver"),),
    held=(
        HeldOut('odd"name\\', "watch", "no token", 3.0),
        HeldOut("chat.0", "apply", "restart", 1.0),
    ),
    unconfirmed=Unconfirmed(12, 11, 1_800_000_000),
    interrupted=True,
)
# name{labels} value: the exposition format without time stamps
_SAMPLE = re.compile(r'[a-z_]+(\{([a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)+\})? (\d+)$')


def samples(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            assert _SAMPLE.match(line), line
            name, _, value = line.rpartition(" ")
            assert name not in found, "the collector refuses a series that comes twice"
            found[name] = int(value)
    return found


def test_every_kind_has_a_number() -> None:
    found = samples(prometheus(REPORT))
    assert {f'provision_drift{{kind="{kind}"}}' for kind in KINDS} <= set(found)
    assert found['provision_drift{kind="cpus"}'] == 2
    assert found['provision_drift{kind="file-edited"}'] == 0
    assert found["provision_drift_unknown"] == 1
    assert found["provision_generation"] == 12
    assert found["provision_interrupted"] == 1
    assert found["provision_unconfirmed"] == 1


def test_labels_are_escaped_and_sorted() -> None:
    lines = prometheus(REPORT).splitlines()
    held = [line for line in lines if line.startswith("provision_instance_held")]
    assert held == [
        'provision_instance_held{instance="chat.0",by="apply"} 1',
        'provision_instance_held{instance="odd\\"name\\\\",by="watch"} 1',
    ]


def test_every_metric_says_what_it_is_once() -> None:
    text = prometheus(DriftReport(1))
    named = re.findall(r"^# (HELP|TYPE) (\S+)", text, re.MULTILINE)
    assert len(named) == len(set(named)) == 12
    assert text.endswith("\n") and "\n\n" not in text
    assert samples(text)["provision_generation"] == 0
    assert prometheus(REPORT) == prometheus(REPORT)


def test_what_is_not_known_has_no_sample() -> None:
    hidden = DriftReport(1, interrupted=None)
    assert "provision_interrupted" not in samples(prometheus(hidden))


def test_the_file_is_whole_and_for_all_to_read(tmp_path: Path) -> None:
    files, path = Files(tmp_path), "/var/lib/prometheus/node-exporter/provision.prom"
    write_textfile(files, path, "a 1\n")
    write_textfile(files, path, prometheus(REPORT))
    (only,) = files.at(path).parent.iterdir()
    assert only.read_text() == prometheus(REPORT)
    assert only.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("path", ["/srv/provision.txt", "provision.prom"])
def test_a_name_that_nobody_would_read(tmp_path: Path, path: str) -> None:
    with pytest.raises(ProvisionError, match=r"only files named \*\.prom"):
        write_textfile(Files(tmp_path), path, "")
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_file_is_none_that_the_collector_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name must not end in .prom, or every value would come twice."""
    names: list[str] = []
    replace = Path.replace

    def noted(self: Path, target: Path) -> Path:
        names.append(self.name)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", noted)
    write_textfile(Files(tmp_path), "/x/provision.prom", "")
    assert len(names) == 1
    assert not names[0].endswith(".prom")


def test_the_page_tells_every_kind() -> None:
    page = (CHECKOUT / "docs/reference/drift.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == dict(KINDS)
    metrics = set(re.findall(r"^# TYPE (\S+)", prometheus(REPORT), re.MULTILINE))
    assert set(re.findall(r"^\| `(provision_[a-z_]+)", page, re.MULTILINE)) == metrics
