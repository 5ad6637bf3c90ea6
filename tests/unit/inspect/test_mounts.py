"""Mounts: which of them paths lie on, and which are better left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provision.host.facts import Mount, RoomNow
from provision.host.inspect.source import LiveSource, Room, Source
from provision.host.inspect.storage.mount_table import mount_above, parse_mountinfo, parse_mounts
from provision.host.inspect.storage.mounts import (
    parse_room,
    reach,
    read_mounts,
    read_rooms,
)
from provision.host.run import Ran

SERVER = """\
22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
23 22 0:21 / /proc rw,nosuid,nodev,noexec - proc proc rw
25 22 0:23 / /dev rw,nosuid - devtmpfs udev rw,size=131000000k
26 25 0:24 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw,size=65536000k
30 22 259:3 /@m /srv/models rw,noatime shared:9 master:2 - btrfs /dev/nvme1n1 rw,subvol=/@m
31 30 254:1 /var/data /srv/models/my\\040files ro,noexec - ext4 /dev/nvme0n1p2 rw
32 22 0:50 / /mnt/nas rw,relatime - nfs4 nas:/export\\040one rw,vers=4.2,soft,addr=192.0.2.9
33 22 0:51 / /mnt/dead rw - nfs gone:/x rw,hard
34 22 0:52 / /opt/over rw - overlay overlay rw,lowerdir=/a:/b,upperdir=/c
"""


class Machine(Source):
    """A tree with room on its file systems and servers that answer, or never do (124)."""

    def __init__(
        self, root: Path, rooms: Mapping[str, Room] | None = None,
        answers: Mapping[str, tuple[int, str]] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(root)
        self.__dict__.update(rooms=rooms or {}, answers=answers or {}, ran=[], seen=[])

    def room(self, path: str) -> Room | None:
        room: Room | None = self.__dict__["rooms"].get(path)
        return room

    def run(self, argv: Sequence[str], timeout: float = 10) -> Ran:
        assert timeout <= 5
        self.ran.append(argv[-1])
        code, out = self.__dict__["answers"].get(argv[-1], (1, ""))
        return Ran(tuple(argv), code, out, "")

    def status(self, path: str):  # type: ignore[no-untyped-def]  # os.stat_result or None
        self.__dict__["seen"].append(path)
        return super().status(path)

    def link(self, path: str) -> str | None:
        self.__dict__["seen"].append(path)
        return super().link(path)

    @property
    def ran(self) -> list[str]:
        ran: list[str] = self.__dict__["ran"]
        return ran

    def touched(self, point: str) -> list[str]:
        return [one for one in self.__dict__["seen"] if f"{one}/".startswith(f"{point}/")]


def machine(root: Path, mountinfo: str, answers: Mapping[str, tuple[int, str]]) -> Machine:
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mountinfo").write_text(mountinfo)
    gib = 1 << 30
    rooms = {
        "/": Room(500 * gib, 100 * gib),
        "/dev/shm": Room(62 * gib, 62 * gib),
        "/srv/models": Room(4000 * gib, 0),
        "/srv/models/my files": Room(500 * gib, 3 * gib),
    }
    return Machine(root, rooms, answers)


def test_mountinfo() -> None:
    found = parse_mountinfo(SERVER)
    assert sorted(found) == [
        "/", "/dev", "/dev/shm", "/mnt/dead", "/mnt/nas", "/opt/over", "/proc", "/srv/models",
        "/srv/models/my files",
    ]  # fmt: skip
    assert found["/"] == Mount("/", "/dev/nvme0n1p2", "ext4", ("rw", "relatime"), network=False)
    assert found["/srv/models"].options == ("rw", "noatime", "subvol=/@m")
    assert found["/srv/models/my files"].options == ("ro", "noexec")
    assert found["/mnt/nas"] == Mount(
        "/mnt/nas", "nas:/export one", "nfs4", ("rw", "relatime", "vers=4.2", "soft"), network=True
    )
    assert found["/opt/over"].network is False


def test_the_uppermost_mount_is_seen() -> None:
    text = """\
1 1 0:1 / / rw - rootfs rootfs rw
22 1 254:1 / / rw - ext4 /dev/sda1 rw
40 22 8:1 / /a/b rw - xfs /dev/sdb1 rw
41 22 8:2 / /a rw - xfs /dev/sdc1 rw
42 41 8:3 / /a/c rw - xfs /dev/sdd1 rw
43 22 0:9 / /auto rw - autofs systemd-1 rw,direct
44 43 0:10 / /auto rw - nfs4 nas:/auto rw
45 44 0:11 / /auto/deep rw - tmpfs tmpfs rw
46 43 0:12 / /auto/hidden rw - tmpfs tmpfs rw
"""
    found = {point: one.kind for point, one in parse_mountinfo(text).items()}
    # /a/b lies under /a, and /auto/hidden under the NFS that autofs mounted.
    assert found == {
        "/": "ext4",
        "/a": "xfs",
        "/a/c": "xfs",
        "/auto": "nfs4",
        "/auto/deep": "tmpfs",
    }
    assert parse_mountinfo(text)["/a"].source == "/dev/sdc1"


def test_a_root_of_another_name_space() -> None:
    """In a chroot that is no mount, nothing is mounted on /."""
    text = "90 50 0:4 / /proc rw - proc proc rw\n91 50 8:2 / /srv rw - xfs /dev/sdc1 rw\n"
    assert sorted(parse_mountinfo(text)) == ["/proc", "/srv"]


def test_a_file_system_that_went_read_only() -> None:
    text = "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro\n"
    assert parse_mountinfo(text)["/"].options == ("ro", "relatime")


def test_proc_mounts() -> None:
    text = """\
/dev/sda1 / ext4 rw,relatime 0 0
none /tmp tmpfs rw,size=1g 0 0
//nas/share /mnt/my\\040share cifs rw,vers=3.1.1 0 0
/dev/sdb1 /tmp xfs rw 0 0
broken
"""
    found = parse_mounts(text)
    assert found["/tmp"].source == "/dev/sdb1"
    assert found["/mnt/my share"] == Mount(
        "/mnt/my share", "//nas/share", "cifs", ("rw", "vers=3.1.1"), network=True
    )
    assert sorted(found) == ["/", "/mnt/my share", "/tmp"]


@pytest.mark.parametrize(
    ("kind", "options", "network"),
    [
        ("nfs", "rw", True),
        ("smb3", "rw", True),
        ("ceph", "rw", True),
        ("lustre", "rw", True),
        ("fuse.sshfs", "rw", True),
        ("fuse.glusterfs", "rw", True),
        ("9p", "rw,trans=virtio", False),
        ("9p", "rw,trans=tcp", True),
        ("virtiofs", "rw", False),
        ("fuseblk", "rw", False),
        ("fuse.mergerfs", "rw", None),
        ("autofs", "rw", None),
        ("zfs", "rw", False),
        ("overlay", "rw", False),
    ],
)
def test_which_are_on_another_host(kind: str, options: str, network: bool | None) -> None:
    assert parse_mountinfo(f"1 0 0:1 / /x rw - {kind} src {options}\n")["/x"].network is network


def test_the_longest_mount_point_counts_whole_names() -> None:
    mounts = [Mount(point) for point in ("/", "/srv", "/srv/models")]
    wanted = {
        "/srv/models/a/b": "/srv/models",
        "/srv/models": "/srv/models",
        "/srv/models/": "/srv/models",
        "/srv/models2/a": "/srv",
        "/srvx": "/",
        "/": "/",
    }
    points = {one.point: one for one in mounts}
    above = {path: mount_above(points, path) for path in wanted}
    assert {path: one and one.point for path, one in above.items()} == wanted
    assert mount_above({}, "/srv") is None
    assert mount_above({}, "/") is None


def test_mounts_of_paths_that_are_not_there_yet(tmp_path: Path) -> None:
    source = machine(tmp_path, SERVER, {})
    mounts = read_mounts(source, ["/srv/models/new/model.gguf", "/srv/models/my files/x"])
    assert [(one.point, one.size_mib) for one in mounts] == [
        ("/", 500 << 10),
        ("/dev/shm", 62 << 10),
        ("/srv/models", 4000 << 10),
        ("/srv/models/my files", 500 << 10),
    ]
    assert source.ran == []
    assert read_rooms(source, mounts) == (
        RoomNow("/", 100 << 10),
        RoomNow("/dev/shm", 62 << 10),
        RoomNow("/srv/models", 0),
        RoomNow("/srv/models/my files", 3 << 10),
    )


def test_the_usual_folders_count_where_they_are(tmp_path: Path) -> None:
    text = SERVER + "50 22 8:9 / /usr/share/ollama rw - xfs /dev/sde1 rw\n"
    source = machine(tmp_path, text, {})
    assert [one.point for one in read_mounts(source, [])] == ["/", "/dev/shm"]
    (tmp_path / "usr/share/ollama").mkdir(parents=True)
    assert [one.point for one in read_mounts(source, [])] == ["/", "/dev/shm", "/usr/share/ollama"]


def test_links_are_followed(tmp_path: Path) -> None:
    source = machine(tmp_path, SERVER, {})
    (tmp_path / "data").symlink_to("srv/./models/../models")
    (tmp_path / "loop").symlink_to("/loop")
    mounts = read_mounts(source, ["/data/x"])
    assert reach(source, mounts, "/data/x")[0] == "/srv/models/x"
    assert [one.point for one in mounts] == ["/", "/dev/shm", "/srv/models"]
    assert reach(source, mounts, "/loop/x")[0] == "/loop/x"
    assert reach(source, mounts, "/../..")[0] == "/"
    assert reach(source, mounts, "/nul\0")[1] is None


def test_a_server_that_answers_within_its_time(tmp_path: Path) -> None:
    source = machine(tmp_path, SERVER, {"/mnt/nas": (0, "1048576 2048 512 nfs\n")})
    mounts = read_mounts(source, ["/mnt/nas/models"])
    nas = next(one for one in mounts if one.point == "/mnt/nas")
    assert (nas.answers, nas.size_mib, nas.network) == (True, 2048, True)
    assert source.ran == ["/mnt/nas"]
    assert RoomNow("/mnt/nas", 512) in read_rooms(source, mounts)


def test_a_server_that_is_gone_is_asked_once_and_never_touched(tmp_path: Path) -> None:
    source = machine(tmp_path, SERVER, {"/mnt/dead": (124, "")})
    (tmp_path / "srv").mkdir()
    (tmp_path / "srv/link").symlink_to("/mnt/dead/models")
    (tmp_path / "mnt/dead").mkdir(parents=True)
    mounts = read_mounts(source, ["/srv/link/a.gguf", "/mnt/dead/b.gguf", "/mnt/dead"])
    dead = next(one for one in mounts if one.point == "/mnt/dead")
    assert (dead.answers, dead.size_mib) == (False, None)
    assert RoomNow("/mnt/dead", None) in read_rooms(source, mounts)
    assert source.ran == ["/mnt/dead"]
    assert reach(source, mounts, "/srv/link/a.gguf") == ("/mnt/dead/models/a.gguf", dead)
    assert source.touched("/mnt/dead") == []


def test_a_stale_handle_is_an_answer_of_unknown_size(tmp_path: Path) -> None:
    source = machine(tmp_path, SERVER, {"/mnt/dead": (1, "")})
    dead = next(one for one in read_mounts(source, ["/mnt/dead/x"]) if one.point == "/mnt/dead")
    assert (dead.answers, dead.size_mib) == (None, None)


def test_autofs_tells_what_it_mounts(tmp_path: Path) -> None:
    text = SERVER + "60 22 0:70 / /net rw - autofs auto.net rw,indirect\n"
    path = "/net/nas/models/a.gguf"
    source = machine(tmp_path, text, {path: (0, "4096 1000 500 nfs")})
    found = {one.point: one for one in read_mounts(source, [path])}["/net"]
    assert (found.kind, found.network, found.answers) == ("nfs", True, True)
    source = machine(tmp_path / "other", text, {path: (0, "4096 0 0 autofs")})
    found = {one.point: one for one in read_mounts(source, [path])}["/net"]
    assert (found.kind, found.network, found.size_mib) == ("autofs", None, None)


@pytest.mark.parametrize(
    ("text", "room", "kind"),
    [
        ("4096 10 5 nfs\n", Room(40960, 20480), "nfs"),
        ("4096 10 5 UNKNOWN (0x61756673)\n", Room(40960, 20480), "UNKNOWN (0x61756673)"),
        ("4096 10 5", Room(40960, 20480), None),
        ("4096 -1 5 nfs", None, None),
        ("", None, None),
        (f"{'9' * 30} 1 1 nfs", None, None),
    ],
)
def test_what_stat_answers(text: str, room: Room | None, kind: str | None) -> None:
    assert parse_room(text) == (room, kind)


def test_a_machine_that_tells_no_mounts(tmp_path: Path) -> None:
    source = Machine(tmp_path)
    assert read_mounts(source, ["/srv/x"]) == ()
    assert read_rooms(source, ()) == ()
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/mounts").write_text("/dev/sda1 / ext4 rw 0 0\n")
    assert [(one.point, one.size_mib) for one in read_mounts(source, [])] == [("/", None)]


@given(st.text(alphabet="0123456789/ \\-abnfsrw,:\n"), st.text(max_size=200))
def test_rubbish_is_no_error(near: str, far: str) -> None:
    for text in (near, far, SERVER[: len(near) * 7] + near):
        for found in (parse_mountinfo(text), parse_mounts(text)):
            assert all(point.startswith("/") for point in found)


def test_the_running_machine() -> None:
    source = LiveSource()
    mounts = read_mounts(source, ["/proc/self/status", "/not/there"])
    rooms = {one.point: one.free_mib for one in read_rooms(source, mounts)}
    points = {one.point: one for one in mounts}
    assert points["/proc"].kind == "proc"
    assert points["/proc"].size_mib is None
    if "/" in points and points["/"].network is False:
        room = source.room("/")
        assert room is not None
        assert points["/"].size_mib == room.size >> 20
        assert 0 <= (rooms["/"] or 0) <= room.size >> 20
