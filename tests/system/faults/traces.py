"""What a row could leave on the host: traces of an apply, and of the test's own fault."""

from __future__ import annotations

MAIL = "llama-server@mail.0.service"
RUN = "/run/faults"  # what the tests write while a fault is on
DROP_IN = f"/run/systemd/system/{MAIL}.d/99-fault.conf"
# The watch writes its own files at any time: one of its temporary files is soon gone.
LEFT = (
    "temporary() { find /etc /run /usr/local /var/lib /opt /root -name '.provision-*'; };"
    ' for i in $(seq 20); do test -z "$(temporary)" && break; sleep 0.5; done; temporary;'
    " ls -d /var/lib/provision/journal.json /var/lib/provision/pending.json"
    " /var/lib/provision/confirm.json 2>/dev/null;"
    " systemctl list-units --all --plain --no-legend 'provision-unconfirmed*';"
    " grep -s '\"apply\"' /run/provision/balancer.json; true"
)
# What is just being started or stopped gets its time, too.
FAULTS_ON = (
    "jobs() { systemctl list-jobs --no-legend; };"
    ' for i in $(seq 40); do test -z "$(jobs)" && break; sleep 0.5; done; jobs;'
    " mount | grep -E '^faults |/mnt/';"
    f" find {RUN} {DROP_IN} /etc/ld.so.preload ! -type d 2>/dev/null;"
    " systemctl list-units --plain --no-legend 'fault-*'; true"
)
