"""Archives that a stranger made: a clear complaint, and nothing written where it should not be."""

from __future__ import annotations

import io
import lzma
import tarfile
from pathlib import Path

import pytest

from provision.host.errors import ProvisionError
from provision.host.facts import InspectRequest
from provision.host.inspect.recording.record import record, replay
from provision.host.inspect.recording.replay import Replay

from .whole_machine import told, whole_machine


def _archive(path: Path, *members: tarfile.TarInfo, data: bytes = b"") -> Path:
    with lzma.open(path, "wb") as packed, tarfile.open(fileobj=packed, mode="w") as tar:
        for one in members:
            one.size = len(data) if one.isreg() else 0
            tar.addfile(one, io.BytesIO(data))
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


_LINK, _HARD, _DEVICE, _PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([_member("/tmp/absolute")], "leads out of it"),
        ([_member("recording/../../climbing")], "leads out of it"),
        ([_member("recording/a", _LINK, "/tmp"), _member("recording/a/b")], "twice"),
        ([_member("recording/a/b"), _member("recording/a", _LINK, "/tmp")], "twice"),
        ([_member("recording/null", _DEVICE)], "no file, folder or symbolic link"),
        ([_member("recording/pipe", _PIPE)], "no file, folder or symbolic link"),
        ([_member("recording/hard", _HARD, "/etc/passwd")], "no file, folder or symbolic link"),
        ([_member("recording/a"), _member("recording/a")], "File exists"),
        ([_member("recording/a"), _member("recording/a/b")], "File exists"),
        ([_member("x" * 300)], "File name too long"),
        ([_member("/".join(["d"] * 200))], "leads out of it"),
        ([_member("something/else")], "no recording.json"),
        ([], "no recording.json|not a recording's"),  # Python 3.10 cannot read an empty one at all
    ],
)
def test_hostile_archives(members: list[tarfile.TarInfo], said: str, tmp_path: Path) -> None:
    archive = _archive(tmp_path / "x.tar.xz", *members)
    with pytest.raises(ProvisionError, match=said) as caught:
        replay(archive)
    assert caught.value.exit_code == 1
    assert caught.value.diagnostics[0].rule == "bad-recording"


def test_links_of_a_recording_lead_nowhere(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    (tmp_path / "outside").write_text("outside")
    with tarfile.open(tmp_path / "a.tar.xz") as tar:
        tar.extractall(tmp_path, filter="fully_trusted")
    folder = tmp_path / "recording"
    (folder / "files/etc/out").symlink_to(tmp_path / "outside")
    (folder / "files/etc/loop").symlink_to("loop")
    source = Replay.of(folder)
    assert source.text("/etc/out") is None
    assert source.text("/etc/loop") is None
    assert source.text(f"/../../{tmp_path}/outside") is None
    (folder / "files").rename(folder / "elsewhere")
    (folder / "files").symlink_to("/")
    with pytest.raises(ProvisionError, match="no folder files"):
        replay(folder)


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = tmp_path / "bomb.tar.xz"
    member = tarfile.TarInfo("recording/recording.json")
    member.size = 32 << 20
    engine = lzma.LZMACompressor()
    with path.open("wb") as out:
        out.write(engine.compress(member.tobuf()))
        for _ in range(32):
            out.write(engine.compress(bytes(1 << 20)))
        out.write(engine.flush())
    assert path.stat().st_size < 1 << 20
    monkeypatch.setattr("provision.host.inspect.recording.unpacking._MOST_BYTES", 8 << 20)
    with pytest.raises(ProvisionError, match="more than 8 MiB"):
        replay(path)
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_archive(tmp_path: Path) -> None:
    whole_machine(tmp_path / "host")
    record(InspectRequest(), tmp_path / "a.tar.xz", "1.0", source=told(tmp_path / "host"))
    good = (tmp_path / "a.tar.xz").read_bytes()
    for at, data in enumerate(
        (b"", b"no xz", good[: len(good) // 2], good[:20], lzma.compress(b"no tar" * 500))
    ):
        path = tmp_path / f"{at}"
        path.write_bytes(data)
        with pytest.raises(ProvisionError) as caught:
            replay(path)
        assert caught.value.diagnostics[0].rule == "bad-recording"
    flipped = bytearray(good)
    for at in range(0, len(flipped), len(flipped) // 12):
        flipped[at] ^= 0x55
        (tmp_path / "flipped").write_bytes(bytes(flipped))
        with pytest.raises(ProvisionError):
            replay(tmp_path / "flipped")
        flipped[at] ^= 0x55
