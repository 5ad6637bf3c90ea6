"""provision fit [MODEL]"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from provision.host.errors import fail

from .options import json_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from provision.host.facts import Facts
    from provision.models.model import Model
    from provision.plan.fits.one_host import EngineWord, FitWish, KvWord
    from provision.plan.ways.service import Optimize

_ENGINES = ("ollama", "vllm", "llama-server", "sglang", "tabbyapi")


@click.command("fit", short_help="What this machine can run: which way, and how fast.")
@click.argument("model", required=False)
@click.option(
    "--facts",
    "facts_files",
    metavar="FILE",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Facts recorded by `provision inspect -o FILE`, instead of this machine. - for stdin. "
    "Given again for each further host: what they can do together too.",
)
@click.option("--engine", type=click.Choice(_ENGINES), help="Default: by the form of the name.")
@click.option("--context", type=click.IntRange(128), metavar="N", help="Tokens of one request.")
@click.option("--parallel", type=click.IntRange(1, 4096), metavar="N", help="Requests at a time.")
@click.option("--kv-cache", type=click.Choice(("f16", "fp8", "q8_0", "q4_0")), help="Its type.")
@click.option(
    "--for",
    "optimize",
    type=click.Choice(("latency", "throughput", "memory")),
    default="latency",
    show_default=True,
    help="What the ways are ordered by.",
)
@click.option("--quantisations", is_flag=True, help="MODEL in each usual quantisation, a row each.")
@click.option(
    "--filter", "words", metavar="WORD", multiple=True, help="Without MODEL: only names with it."
)
@click.option(
    "--network-gbit",
    type=click.FloatRange(0, 100_000, min_open=True),
    metavar="N",
    default=10.0,
    show_default=True,
    help="Rate of the network between several hosts.",
)
@json_option
def fit_command(
    model: str | None,
    facts_files: tuple[Path, ...],
    engine: EngineWord | None,
    context: int | None,
    parallel: int | None,
    kv_cache: KvWord | None,
    optimize: Optimize,
    quantisations: bool,
    words: tuple[str, ...],
    network_gbit: float,
    as_json: bool,
) -> None:
    """Say what this machine, or the one of --facts, could do with MODEL if nothing of ours ran.

    MODEL is an Ollama tag, a Hugging Face id, or the path of a model. Without it, every model of
    the catalogue in one table. Speeds are estimates. Nothing is changed, and that a model does not
    fit is an answer like any other: exit code 0.
    """
    from provision.plan.fits.one_host import FitWish

    _check_words(model, facts_files, quantisations, words)
    wish = FitWish(context, parallel, kv_cache, optimize)
    if model is None:
        _every(_facts((), facts_files)[0], wish, engine, words, as_json)
        return
    from .engine_meant import meant

    reference, serves = meant(model, engine)
    _check_kv_type(serves, kv_cache)
    hosts = _facts(_paths(reference, serves), facts_files)
    known = _identified(reference, serves, hosts)
    _check_context(known, context)
    if quantisations:
        _stored(known, serves, hosts[0], wish, as_json)
    elif len(hosts) > 1:
        _together(known, serves, hosts, wish, network_gbit, as_json)
    else:
        _one(known, serves, hosts[0], wish, as_json)


def _check_words(
    model: str | None, facts_files: Sequence[Path], quantisations: bool, words: Sequence[str]
) -> None:
    """Options that do not go together."""
    if model is None and quantisations:
        raise click.UsageError("--quantisations is about one MODEL")
    if model is not None and words:
        raise click.UsageError("--filter is about the catalogue, without MODEL")
    if len(facts_files) > 1 and (model is None or quantisations):
        raise click.UsageError("several --facts are about one MODEL as it is")
    if sum(str(one) == "-" for one in facts_files) > 1:
        raise click.UsageError("only one --facts can be standard input")


def _check_kv_type(engine: EngineWord, kv_type: str | None) -> None:
    from provision.engines.ability import ABILITIES

    known = ABILITIES[engine].kv_types
    if kv_type is not None and kv_type not in known:
        message = f"{engine} has no KV cache of type {kv_type}"
        raise fail("kv-cache", message, f"--kv-cache {' or '.join(known)}")


def _check_context(model: Model, context: int | None) -> None:
    if context is not None and model.context is not None and context > model.context:
        message = f"context {context:,}: {model.name} was made for {model.context:,} tokens"
        raise fail("context", message, f"--context {model.context} or less")


def _paths(reference: str, engine: EngineWord) -> tuple[str, ...]:
    """Where this machine would have the model's files."""
    from provision.spec.request import model_paths

    return model_paths(engine if engine == "ollama" else "vllm", reference)


def _facts(paths: tuple[str, ...], facts_files: Sequence[Path]) -> list[Facts]:
    from provision import pipeline
    from provision.host.facts import InspectRequest

    from . import inputs

    if facts_files:
        return [inputs.read_facts(one) for one in facts_files]
    return [pipeline.inspect(InspectRequest(paths=paths))]


def _identified(reference: str, engine: EngineWord, hosts: Sequence[Facts]) -> Model:
    """By the files of the first host that has them, else by the catalogue."""
    from provision.models.identity.identify import identify
    from provision.models.model import UnknownModelError
    from provision.plan.fits.one_host import files_of

    from .model_asked import unknown

    found = (files_of(reference, engine, facts) for facts in hosts)
    try:
        return identify(reference, engine, next((one for one in found if one is not None), None))
    except UnknownModelError as error:
        raise unknown(error) from None


def _one(model: Model, engine: EngineWord, facts: Facts, wish: FitWish, as_json: bool) -> None:
    from provision.plan.fits.one_host import fit_model
    from provision.plan.fits.search import Machine

    from . import fit_screen, outputs

    found = fit_model(model, engine, Machine(facts), wish)
    if as_json:
        outputs.put_document(found)
    else:
        fit_screen.show_fit(found, facts)


def _together(
    model: Model,
    engine: EngineWord,
    hosts: Sequence[Facts],
    wish: FitWish,
    network_gbit: float,
    as_json: bool,
) -> None:
    from provision.plan.fits.several_hosts import fit_hosts

    from . import fit_screen, outputs

    found = fit_hosts(model, engine, hosts, wish, network_gbit)
    if as_json:
        outputs.put_document(found)
    else:
        fit_screen.show_hosts(found, hosts)


def _stored(model: Model, engine: EngineWord, facts: Facts, wish: FitWish, as_json: bool) -> None:
    """The model in the usual quantisations of the engine's files, and in its own."""
    from provision.plan.fits.catalogue import fit_stored

    from . import fit_screen, outputs
    from .fit_forms import forms_of

    found = fit_stored(forms_of(model, engine), engine, facts, wish)
    if as_json:
        outputs.put_document(found)
    else:
        fit_screen.show_forms(found, facts)


def _every(
    facts: Facts, wish: FitWish, engine: EngineWord | None, words: Sequence[str], as_json: bool
) -> None:
    from provision.plan.fits.catalogue import fit_all

    from . import fit_screen, outputs

    if engine is not None:
        _check_kv_type(engine, wish.kv_cache)
    found = fit_all(facts, wish, engine, words)
    if not found.fits:
        named = f" with {' and '.join(words)} in its name" if words else ""
        served = f" for {engine}" if engine else ""
        raise fail("no-model", f"the catalogue has no model{named}{served}")
    if as_json:
        outputs.put_document(found)
    else:
        fit_screen.show_every(found, facts)
