"""provision schema"""

from __future__ import annotations

import click


@click.command("schema", short_help="The JSON Schema of host.yaml, for editors.")
def schema_command() -> None:
    """Print the JSON Schema (draft-07) of host.yaml.

    Editors then complete keys and show what they mean:

    \b
      provision schema > host.schema.json
      # first line of host.yaml:
      # yaml-language-server: $schema=./host.schema.json
    """
    import json

    from provision.spec.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
