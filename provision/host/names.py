"""Names of units and folders on the host that several parts of the host half speak of."""

from __future__ import annotations

UNITS = "/etc/systemd/system/"
TARGET = "provision.target"
GPU_UNIT = "provision-gpu-settings.service"
RECOVER_UNIT = "provision-recover.service"
WATCH_UNIT = "provision-watch.service"
DRIFT_TIMER = "provision-drift.timer"
SERVICES = (WATCH_UNIT, DRIFT_TIMER)  # ours that run beside the instances
NGINX_UNIT = "nginx.service"
NGINX_FOLDER = "/etc/nginx/"
SYSUSERS = "/etc/sysusers.d/provision.conf"
TMPFILES = "/etc/tmpfiles.d/provision.conf"
