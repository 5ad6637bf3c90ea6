"""Where everything lies on the host. The host half and the documentation use the same paths."""

from __future__ import annotations

UNITS = "/etc/systemd/system"
TARGET = "provision.target"
SETTINGS_UNIT = "provision-gpu-settings.service"
WATCH_UNIT = "provision-watch.service"
RECOVER_UNIT = "provision-recover.service"
DRIFT_UNIT = "provision-drift.service"
DRIFT_TIMER = "provision-drift.timer"
SETTINGS_FILE = "/etc/provision/gpu-settings.json"
INSTANCES = "/etc/provision/instances"
AGENT = "/usr/local/lib/provision/host.pyz"
SYSUSERS = "/etc/sysusers.d/provision.conf"
TMPFILES = "/etc/tmpfiles.d/provision.conf"
PROFILE = "/etc/profile.d/provision-gpu.sh"
NGINX = "/etc/nginx/conf.d/provision.conf"
UPSTREAMS = "/etc/nginx/provision/upstreams"
KEYS = "/etc/nginx/provision/keys.map"
ANSWER = "/etc/nginx/provision/answer.conf"
BY_MODEL = "/etc/nginx/provision/by_model.js"
BACKUP_KEYS = "/etc/nginx/provision/backup"
RESOLVER = "/etc/nginx/provision/resolver.conf"
HEALTH = "/_provision/health"
HEALTH_FILES = "/run/provision/health"  # written by the watch unit


def unit_of(engine: str, instance: str) -> str:
    """The unit of an instance: vllm@chat.0.service."""
    return f"{engine}@{instance}.service"


def template_unit(engine: str) -> str:
    """Path of an engine's template unit."""
    return f"{UNITS}/{engine}@.service"


def drop_in(engine: str, instance: str) -> str:
    """Path of an instance's own settings."""
    return f"{UNITS}/{unit_of(engine, instance)}.d/10-provision.conf"


def env_file(instance: str) -> str:
    """Path of an instance's environment."""
    return f"{INSTANCES}/{instance}.env"


def runtime_file(instance: str) -> str:
    """Path of what guard and ready read."""
    return f"{INSTANCES}/{instance}.json"


def digest_file(instance: str) -> str:
    """Path of the digest that stands in the live environment."""
    return f"{INSTANCES}/{instance}.digest"


def state_folder(engine: str) -> str:
    """Where an engine's instances keep what must stay; also HOME."""
    return f"/var/lib/{engine}"


def cache_folder(engine: str) -> str:
    """Above the cache folders of an engine's instances."""
    return f"/var/cache/{engine}"


def is_below(path: str, folder: str) -> bool:
    """Whether a path is this folder or lies in it."""
    return path == folder or path.startswith(folder.rstrip("/") + "/")
