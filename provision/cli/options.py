"""Options that several commands share, each spelled once."""

from __future__ import annotations

from pathlib import Path

import click

plan_argument = click.argument(
    "host_yaml", metavar="HOST.YAML|PLAN.JSON", type=click.Path(path_type=Path)
)
"""The file or a saved plan of it, `-` for stdin."""

facts_option = click.option(
    "--facts",
    "facts_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Facts recorded by `provision inspect -o FILE`, instead of this machine. - for stdin.",
)

json_option = click.option(
    "--json", "as_json", is_flag=True, help="The result as a JSON document on stdout."
)

root_option = click.option(
    "--root",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Work in this folder as if it were /: files and links only, no services, no root needed.",
)

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask.")

adopt_option = click.option(
    "--adopt",
    is_flag=True,
    help="Take over files of somebody else that stand where ours belong; `remove` puts them back.",
)

overwrite_option = click.option(
    "--overwrite",
    is_flag=True,
    help="Write files of ours anew that were edited by hand; a backup is kept.",
)

no_downtime_option = click.option(
    "--no-downtime",
    is_flag=True,
    help="Refuse what would leave a service without anybody who serves it.",
)

steady_option = click.option(
    "--steady",
    "steady_seconds",
    metavar="SECONDS",
    type=click.FloatRange(0, 3600),
    default=6.0,
    show_default=True,
    help="How long what was started must stay up before the apply counts.",
)

check_option = click.option(
    "--check", is_flag=True, help="Only say what would be done. Exit code 2: something differs."
)


output_option = click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the result as a JSON document into this file.",
)
