"""provision schema"""

from __future__ import annotations

import click


@click.command("schema", short_help="The JSON Schema of host.yaml, or of the facts.")
@click.argument("document", type=click.Choice(["host", "facts"]), default="host")
def schema_command(document: str) -> None:
    """Print a JSON Schema (draft-07): of host.yaml, or of what `provision inspect --json` prints.

    Editors then complete the keys of host.yaml and show what they mean:

    \b
      provision schema > host.schema.json
      # first line of host.yaml:
      # yaml-language-server: $schema=./host.schema.json
    """
    import json

    if document == "facts":
        from provision.view.facts_schema import facts_schema

        schema = facts_schema()
    else:
        from provision.spec.schema import json_schema

        schema = json_schema()
    click.echo(json.dumps(schema, indent=2, ensure_ascii=False))
