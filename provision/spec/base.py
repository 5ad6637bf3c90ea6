"""What all parts of host.yaml are made of: names, ports, paths, references to secrets."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Discriminator, Field

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,40}$"
ABSOLUTE_PATH_PATTERN = r"^/[^\x00-\x1f\x7f]*$"
PATH_OR_OFF_PATTERN = ABSOLUTE_PATH_PATTERN + r"|^off$"
URL_PATH_PATTERN = r"^/[A-Za-z0-9._~/-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Port = Annotated[int, Field(ge=1, le=65535)]
AbsolutePath = Annotated[str, Field(pattern=ABSOLUTE_PATH_PATTERN)]
Weight = Annotated[int, Field(ge=1, le=1000)]
# Numbers and true may stand without quotes where text is wanted: they are taken as written.
Text = Annotated[str, Field(json_schema_extra={"type": ["string", "number", "boolean"]})]
Node = Annotated[int, Field(ge=0, le=1023)]


def _branch(value: object) -> str | None:
    """Which form of a key that takes several was meant, so that only that one complains."""
    if isinstance(value, bool):
        return None
    forms = {int: "=number", str: "=text", list: "=list", dict: "=mapping"}
    return forms.get(type(value), "=mapping" if isinstance(value, BaseModel) else None)


ByForm = Discriminator(_branch)


class Strict(BaseModel):
    """No unknown keys, no coercion ("3" is not 3, yes is not true), nothing changes afterwards."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True
    )


class Secret(Strict):
    """A reference to a secret; the value itself never stands in host.yaml."""

    file: AbsolutePath
    """A file on the host, readable by root alone, that holds the value."""
