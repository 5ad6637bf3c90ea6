"""What the owner hands to the engine: variables, options, references to secrets."""

from __future__ import annotations

import re

from ..complaints import Complaints
from ..model import InstanceSpec
from ..secret import secrets_in_args, why_secret
from ..subject import clip, quoted

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = "PROVISION_"
_REFERENCE = (
    "write it to a file of root's on the host, and secrets: {%s: {file: /etc/provision/...}}"
)


def check(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    """The env, args and secrets of one instance."""
    for key in ("env", "secrets"):
        for variable in getattr(spec, key):
            _check_variable(name, key, variable, complaints)
    for variable, value in spec.env.items():
        _check_value(name, variable, value, complaints)
        if variable in spec.secrets:
            complaints.add(
                "env-and-secret",
                f"{name}: {variable} is set by env and by secrets",
                *("instances", name, "env", variable),
                hint="keep the one under secrets",
                key=True,
            )
    _check_args(name, spec, complaints)


def _check_variable(name: str, key: str, variable: str, complaints: Complaints) -> None:
    at = ("instances", name, key, variable)
    if not _VARIABLE.fullmatch(variable):
        message = (
            f"{name}: {quoted(variable)} cannot be the name of a variable; "
            "allowed: letters, digits and _, the first no digit"
        )
        plain = re.sub(r"\W", "_", variable, flags=re.ASCII)
        hint = f"for example {plain}" if _VARIABLE.fullmatch(plain) else None
        complaints.add("bad-variable", message, *at, hint=hint, key=True)
    elif variable.startswith(_OURS):
        message = f"{name}: {variable} is a name that provision keeps for itself"
        complaints.add("reserved-variable", message, *at, hint="choose another name", key=True)


def _check_value(name: str, variable: str, value: str, complaints: Complaints) -> None:
    at = ("instances", name, "env", variable)
    if _control(value):
        message = f"{name}: env.{clip(variable)} holds a line end or control character"
        complaints.add("bad-value", message, *at, hint="a value is one line of text")
        return
    why = why_secret(variable, value)
    if why:
        complaints.add(
            "secret-in-spec",
            f"{name}: the value of env.{clip(variable)} {why}; host.yaml holds no secrets",
            *at,
            hint=_REFERENCE % clip(variable),
        )


def _check_args(name: str, spec: InstanceSpec, complaints: Complaints) -> None:
    at = ("instances", name, "args")
    for number, arg in enumerate(spec.args):
        if _control(arg) or not arg:
            message = f"{name}: args[{number}] is {quoted(arg)}; allowed: text on one line"
            complaints.add("bad-arg", message, *at, number)
            continue
        words = re.match(r"(--?[A-Za-z][\w.-]*)\s+(\S.*)", arg)
        if words:
            complaints.add(
                "arg-with-space",
                f"{name}: args[{number}] holds an option and its value in one",
                *at,
                number,
                hint=f"write two items: {words[1]} and its value",
            )
    for number, option, why in secrets_in_args(spec.args):
        complaints.add(
            "secret-in-spec",
            f"{name}: args[{number}], the value of {clip(option)}, {why}; "
            "a command line is readable by everybody",
            *at,
            number,
            hint=_REFERENCE % _variable_for(spec.engine, option),
        )


def _variable_for(engine: str, option: str) -> str:
    """The variable that an engine reads instead of this option."""
    if option == "--api-key" and engine in ("vllm", "llama-server"):
        return "VLLM_API_KEY" if engine == "vllm" else "LLAMA_API_KEY"
    return "HF_TOKEN" if option in ("--hf-token", "-hft") else "VARIABLE"


def _control(text: str) -> bool:
    return any(ord(one) < 0x20 or 0x7F <= ord(one) < 0xA0 for one in text)
