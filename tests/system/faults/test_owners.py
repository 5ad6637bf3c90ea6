"""Files that somebody else wrote or edited, and a record that is lost, newer or damaged."""

from __future__ import annotations

import pytest

from .bed import APPLY, Bed
from .fault import fault

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]
ENV = "/etc/provision/instances/mail.0.env"
STATE = "/var/lib/provision/state.json"
BACKUPS = "/var/lib/provision/backups"
# All that read the record, by the same lines; the first three for each way to spoil it.
VERBS = (APPLY, "recover", "remove --yes", "status", "verify", "rollback --yes")
FOREIGN = "/etc/tmpfiles.d/provision.conf"


@fault("a file of ours was edited by hand", 3)
def test_edited_by_hand(bed: Bed, code: int) -> None:
    mark = bed.as_it_stands()
    path = "/etc/systemd/system/llama-server@mail.0.service.d/10-provision.conf"
    bed.run(f"echo '# by hand' >> {path}")
    before = bed.picture()
    for options in ("", "--adopt"):
        said = bed.fails(code, path, "+# by hand", verb=f"{APPLY} {options}")
        assert "--overwrite" in said, said
        bed.is_untouched(before)
    bed.heals(mark, "--overwrite")
    assert "by hand" not in bed.run(f"cat {path}")
    assert path.rsplit("/", 1)[1] in bed.run(f"grep -rl '# by hand' {BACKUPS}")


@fault("a file of somebody else stands at a path of ours", 3)
def test_foreign_file(bed: Bed, code: int) -> None:
    """Adopted it is backed up, and `remove` puts it back with its mode and owner."""
    mark = bed.want()
    assert bed.provision("remove --yes")[0] == 0
    bed.run(f"echo '# of somebody else' > {FOREIGN}; chmod 640 {FOREIGN}; chgrp adm {FOREIGN}")
    look = f"stat -c '%a %U %G' {FOREIGN}; cat {FOREIGN}"
    foreign = bed.run(look)
    before = bed.picture()
    for options in ("", "--overwrite"):
        verb = f"{APPLY} {options}"
        said = bed.fails(code, FOREIGN, "-# of somebody else"[1:], verb=verb)
        assert "--adopt" in said, said
        before.is_untouched(bed.picture())
    bed.heals(mark, "--adopt")
    assert "of somebody else" not in bed.run(f"cat {FOREIGN}")
    assert bed.run(f"grep -rl 'of somebody else' {BACKUPS}")
    gone, said = bed.provision("remove --yes")
    assert gone == 0, said
    assert bed.run(look) == foreign
    assert bed.picture().names - before.names == set()
    assert before.names - bed.picture().names == set()
    bed.run(f"rm {FOREIGN}")
    bed.heals(mark)


@fault("the record in `/var/lib/provision` is lost", 0)
def test_state_is_lost(bed: Bed, code: int) -> None:
    """Files that stand there as wanted are ours again: none is written, nothing is restarted."""
    bed.as_it_stands()
    bed.run("rm -rf /var/lib/provision")
    before = bed.picture()
    found, said = bed.provision("remove --yes")
    assert found == 0 and "nothing was applied" in said, said
    before.is_untouched(bed.picture())
    found, said = bed.applied()
    assert found == code, said
    after = bed.picture()
    outside = [line for line in after.files if "/var/lib/provision" not in line]
    assert [line for line in outside if line not in before.files] == [
        line for line in outside if line.startswith("/var/lib ") and line not in before.files
    ]
    assert after.units == before.units
    bed.verify()


@fault("the record is lost, and a file was edited by hand", 3)
def test_state_is_lost_and_a_file_edited(bed: Bed, code: int) -> None:
    bed.as_it_stands()
    bed.run(f"rm -rf /var/lib/provision; cp -p {ENV} /root/kept; echo EDITED=1 >> {ENV}")
    before = bed.picture()
    said = bed.fails(code, ENV, "hint:")
    assert "EDITED=1" not in said, "only root may read this file"
    before.is_untouched(bed.picture())
    bed.run(f"cp -p /root/kept {ENV}")
    found, said = bed.applied()
    assert found == 0, said
    bed.nothing_left()
    bed.answers()


@fault("the record was written by a newer version", 1)
def test_state_is_newer(bed: Bed, code: int) -> None:
    bed.want()
    _spoiled(bed, code, 'sed -i \'s/^  "version": 1/  "version": 99/\'', "99", "version")


@fault("the record is damaged", 1)
def test_state_is_damaged(bed: Bed, code: int) -> None:
    bed.want()
    _spoiled(bed, code, "truncate -s 300", "not JSON", "hint:", verbs=VERBS[:3])


def _spoiled(bed: Bed, code: int, how: str, *words: str, verbs: tuple[str, ...] = VERBS) -> None:
    """With the State spoiled every command ends with a sentence and changes nothing."""
    bed.run(f"cp -p {STATE} /root/state.json; {how} {STATE}")
    before = bed.picture()
    for verb in verbs:
        bed.fails(code, STATE, *words, verb=verb)
    bed.is_untouched(before)
    bed.run(f"cp -p /root/state.json {STATE}")
