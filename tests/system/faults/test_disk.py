"""Faults of the disk: full at every stage of an apply, and read-only."""

from __future__ import annotations

from typing import Any

import pytest

from .bed import CHAT, Bed, filling
from .fault import fault

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
OURS = "/var/lib/provision"
UNITS = "/etc/systemd/system"
JOURNALD = "systemctl kill systemd-journald.service"
FULL, READ_ONLY = "No space left on device", "read-only file system"
# A new context changes mail's drop-in, and before it the digest, which lies in another folder.
OTHER: dict[str, Any] = {"context": 512}


@fault("`/run` is full: nothing can be staged", 1)
def test_no_room_to_stage(bed: Bed, code: int) -> None:
    bed.want(**OTHER)
    before = bed.picture()
    size = bed.run("df -k --output=size /run | tail -n 1").strip()
    # The journal lies there, too: journald would make room by deleting old files of its own.
    bed.run(f"{JOURNALD} -s STOP")
    bed.fill("/run")
    try:
        bed.fails(code, FULL, "/run")
    finally:
        bed.run(f"mount -o remount,size={size}k /run; {JOURNALD} -s CONT")
    bed.is_untouched(before)


@pytest.mark.parametrize("folder", [OURS, UNITS])
@fault("the disk is full: of `/var/lib/provision`, or of a folder that gets a file", 1)
def test_no_room(bed: Bed, code: int, folder: str) -> None:
    bed.want(context=512 + 256 * len(folder))
    with bed.small_disk(folder):
        before = bed.picture()
        bed.fill(folder)
        bed.fails(code, folder, "KiB free", "make room")
        bed.is_untouched(before)


@fault("the disk fills up just before the journal is written", 5)
def test_no_room_for_the_journal(bed: Bed, code: int) -> None:
    bed.want(**OTHER)
    with bed.small_disk(OURS), bed.just_before_the_journal(filling(OURS)):
        before = bed.picture()
        bed.fails(code, FULL, f"{OURS}/journal.json")
        bed.is_back(before, restarted=())


@fault("the disk fills up before the last file is written", 5)
def test_no_room_for_a_file(bed: Bed, code: int) -> None:
    """The digest, which lies on another disk, is written already."""
    bed.want(context=768)
    with bed.small_disk(UNITS), bed.just_before_the_journal(filling(UNITS)):
        before = bed.picture()
        bed.fails(code, FULL, f"{UNITS}/llama-server@mail.0.service.d")
        bed.is_back(before, restarted=())


@fault("`/var/lib/provision` fills up during the apply: it cannot be committed", 5)
def test_no_room_to_commit(bed: Bed, code: int) -> None:
    bed.want()
    with bed.small_disk(OURS):
        before = bed.picture()
        with bed.while_mail_starts(filling(OURS)):
            bed.fails(code, FULL, OURS)
        bed.is_back(before)


@fault("the disk fills up during the apply, and then a start fails: no room for the way back", 6)
def test_no_room_for_the_way_back(bed: Bed, code: int) -> None:
    bed.want(**OTHER, args=["--no-such"])
    with bed.small_disk(UNITS):
        before = bed.picture()
        with bed.while_mail_starts(filling(UNITS)):
            bed.fails(code, "no-such", FULL, UNITS, "provision recover")
        assert bed.picture().units[CHAT] == before.units[CHAT]
        bed.answers("/")
        bed.free(UNITS)
        recovered, said = bed.provision("recover")
        assert recovered == 0, said
        bed.is_back(before)


@fault("`/etc/systemd/system` is read-only", 1)
def test_units_are_read_only(bed: Bed, code: int) -> None:
    bed.want(context=1024)
    before = bed.picture()
    with bed.read_only(UNITS):
        bed.fails(code, READ_ONLY, UNITS, "mount it writable")
        bed.is_untouched(before)


@fault("`/var/lib/provision` is read-only", 1)
def test_our_folder_is_read_only(bed: Bed, code: int) -> None:
    bed.want()
    before = bed.picture()
    with bed.read_only(OURS):
        bed.fails(code, READ_ONLY, OURS, "mount it writable")
        bed.is_untouched(before)


@fault("`/var/lib/provision` turns read-only during the apply", 6)
def test_our_folder_turns_read_only(bed: Bed, code: int) -> None:
    """As ext4 does after an error. Files and services can go back, the journal cannot go away."""
    mark = bed.want()
    with bed.small_disk(OURS):
        before = bed.picture()
        with bed.while_mail_starts(f"mount -o remount,ro {OURS}"):
            bed.fails(code, "ead-only file system", OURS, "provision recover")
        bed.run(f"mount -o remount,rw {OURS}")
        recovered, said = bed.provision("recover")
        assert recovered == 0, said
        bed.is_back(before)
    bed.heals(mark)
