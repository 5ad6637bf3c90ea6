"""What every engine module provides. One small file an engine; no engine touches a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from provision.host.bundle import Drain, Probe
from provision.host.errors import Diagnostic

from .launch import EngineName, Launch


class Engine(Protocol):
    """How one inference server is started, probed and drained. All methods are pure."""

    @property
    def name(self) -> EngineName: ...

    @property
    def user(self) -> str:
        """The system user that it runs as."""

    @property
    def default_port(self) -> int:
        """First port to try on loopback: 11434, 8000, 8080."""

    @property
    def inference_paths(self) -> tuple[str, ...]:
        """URL paths that only ask for inference. Ends in / : a prefix; else that path alone."""

    @property
    def keepalive_timeout_seconds(self) -> int:
        """How long nginx may keep an idle connection: below the engine's own."""

    @property
    def owned_options(self) -> Mapping[str, str]:
        """Options that the plan owns -> the key of host.yaml to use instead."""

    @property
    def owned_variables(self) -> Mapping[str, str]:
        """Environment variables that the plan owns -> the key to use instead."""

    def problems(self, launch: Launch) -> tuple[Diagnostic, ...]:
        """What cannot work for this launch (rule, message, hint; places are added by the plan)."""

    def command(self, launch: Launch) -> tuple[str, ...]:
        """The whole command line, program first; no secret ever stands in it."""

    def environment(self, launch: Launch) -> dict[str, str]:
        """Variables of the env file, the owner's own included; CUDA_DEVICE_ORDER always."""

    def visible_devices_variable(self, launch: Launch) -> str | None:
        """Variable that guard must set to indices at each start, None when UUIDs are rendered."""

    def ready(self, launch: Launch) -> Probe:
        """Answers once the engine serves."""

    def token(self, launch: Launch) -> Probe:
        """One real generated token, straight from the instance."""

    def drain(self, launch: Launch) -> Drain: ...

    def served_names(self, launch: Launch) -> tuple[tuple[str, ...], ...]:
        """What clients may write as `model`: for each model all its names, the usual one first."""

    def requires(self, launch: Launch) -> tuple[str, ...]:
        """Absolute paths that must exist on the host before it is started (model files)."""

    def process(self, launch: Launch) -> str:
        """Text that the main process's command line holds."""

    def writable(self, launch: Launch) -> tuple[str, ...]:
        """Folders outside its state directory that it must be able to write."""
