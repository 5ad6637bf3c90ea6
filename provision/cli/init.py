"""provision init"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import Exit, fail

from .options import facts_option

if TYPE_CHECKING:
    from provision.host.facts import Facts

_PURPOSES = ("latency", "throughput", "memory")


@click.command("init", short_help="Write a first host.yaml that plans cleanly on this machine.")
@click.option("--model", "models", multiple=True, metavar="MODEL", help="Several: give it again.")
@click.option(
    "--for",
    "purpose",
    type=click.Choice(_PURPOSES),
    help="What matters most. Default: latency. throughput: one model in as many copies as fit.",
)
@click.option("--context", type=click.IntRange(128), metavar="N", help="Tokens of one request.")
@click.option(
    "--listen",
    type=click.IntRange(1, 65535),
    metavar="PORT",
    help="Of nginx. Default: 8080, or the next that nobody holds.",
)
@facts_option
@click.option(
    "-o",
    "--output",
    default="host.yaml",
    show_default=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="- for stdout.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
def init_command(
    models: tuple[str, ...],
    purpose: str | None,
    context: int | None,
    listen: int | None,
    facts_file: Path | None,
    output: Path,
    force: bool,
) -> None:
    """Ask what to serve, look at the machine, and write a commented host.yaml.

    What is written has been planned for this machine, or for the one of --facts; a model that does
    not fit is an error, and nothing is written then. With --model nothing is asked. Needs no root.
    """
    from .drafting import Wanted, drafted

    to_stdout = str(output) == "-"
    if not to_stdout and not force:
        _must_be_new(output)
    facts = _facts(facts_file) if facts_file is not None or not models else None
    if not models:
        assert facts is not None  # it was looked at just above
        models, purpose = _ask(facts, purpose)
    wanted = Wanted(models, purpose or "latency", context, listen)
    result = drafted(wanted, facts if facts_file is not None else None)
    if to_stdout:
        click.echo(result.text, nl=False)
    else:
        _write(output, result.text, force)
        from .instances_screen import show_instances

        show_instances(result.plan)
    from .complaint import show

    show(result.remarks)
    if not to_stdout:
        facts_words = f" --facts {facts_file}" if facts_file is not None else ""
        click.echo(f"wrote {output}; next: provision plan {output}{facts_words}", err=True)


def _must_be_new(output: Path) -> None:
    if output.exists() or output.is_symlink():
        raise fail(
            "file-exists", f"{output} is there already", "--force replaces it", exit_code=Exit.USAGE
        )


def _facts(facts_file: Path | None) -> Facts:
    from provision import pipeline

    from . import inputs

    return inputs.read_facts(facts_file) if facts_file is not None else pipeline.inspect()


def _ask(facts: Facts, purpose: str | None) -> tuple[tuple[str, ...], str]:
    """Models and purpose; the questions go to stderr. Abort (Ctrl-C, end of file) is the caller's
    end: nothing has been written then."""
    from . import streams
    from .host_line import host_line

    if not streams.interactive():
        raise fail(
            "nobody-to-ask",
            "standard input is no terminal, so nobody can be asked what to serve",
            "provision init --model llama3.1:8b --for latency",
            exit_code=Exit.USAGE,
        )
    click.echo(host_line(facts), err=True)
    engines = sorted({one.engine for one in facts.stable.engines})
    click.echo(f"engines here: {', '.join(engines) or 'none yet'}", err=True)
    click.echo("what would fit: provision fit", err=True)
    question = "Which models? (Ollama tags, Hugging Face ids, .gguf files; several by blanks)"
    models: tuple[str, ...] = ()
    while not models:
        models = tuple(str(click.prompt(question, err=True)).replace(",", " ").split())
    asked = purpose or click.prompt(
        "What matters most?", type=click.Choice(_PURPOSES), default="latency", err=True
    )
    return models, str(asked)


def _write(output: Path, text: str, force: bool) -> None:
    """Not over a file that has appeared since, unless --force."""
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        _must_be_new(output)
        raise
    except OSError as error:
        raise fail("unwritable", f"{output}: {error.strerror}") from None
