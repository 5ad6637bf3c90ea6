"""provision models list | show NAME"""

from __future__ import annotations

import click

from provision.engines.ability import ABILITIES

from .options import json_option

_KV_TYPES = ("f16", "fp8", "q8_0", "q4_0")


@click.group("models", short_help="How much memory models need: the catalogue, and one of them.")
def models_command() -> None:
    """What models are made of and how much memory they need, without any machine."""


@models_command.command("list", short_help="The catalogue, or the models of it with these words.")
@click.argument("words", nargs=-1)
@json_option
def list_command(words: tuple[str, ...], as_json: bool) -> None:
    """The models whose shape provision knows, by family and size.

    WORDS: only those that have each of them in their name, family, Ollama tags or Hub ids.
    """
    from provision.cli.model_list import matching, show_models
    from provision.cli.outputs import put_document

    found = matching(words)
    if as_json:
        put_document(found)
    else:
        show_models(found)


@models_command.command("show", short_help="What one model needs on each GPU, part by part.")
@click.argument("name")
@click.option(
    "--context",
    type=click.IntRange(1, 100_000_000),
    help="Tokens of one request. Default: the engine's, or the model's own.",
)
@click.option(
    "--parallel",
    type=click.IntRange(1, 65536),
    help="Requests at a time. Default: the engine's.",
)
@click.option(
    "--tensor-parallel",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="GPUs that share every layer.",
)
@click.option(
    "--pipeline-parallel",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Stages of layers, one after the other.",
)
@click.option(
    "--engine",
    type=click.Choice(sorted(ABILITIES)),
    help="Who serves it. Default: by the name: ollama for a tag, llama-server for a .gguf file,"
    " vllm for an id of the Hub.",
)
@click.option(
    "--kv-cache",
    type=click.Choice(_KV_TYPES),
    default="f16",
    show_default=True,
    help="Type of the KV cache's elements; f16 stands for bf16 too.",
)
@click.option(
    "--quantisation",
    metavar="NAME",
    help="As it would be in this one: Q4_K_M, AWQ, FP8, EXL3-4.0. Default: by its name or files.",
)
@json_option
def show_command(
    name: str,
    context: int | None,
    parallel: int | None,
    tensor_parallel: int,
    pipeline_parallel: int,
    engine: str | None,
    kv_cache: str,
    quantisation: str | None,
    as_json: bool,
) -> None:
    """The memory of the model NAME: weights, KV cache and the rest, each with its error bound.

    NAME: a tag of Ollama, an id of the Hugging Face Hub, a name of the catalogue, or the path of a
    GGUF or safetensors file or a model's folder on this machine.
    """
    from provision.cli.model_asked import model_asked
    from provision.cli.model_screen import show_sheet
    from provision.cli.model_sheet import sheet_of
    from provision.cli.outputs import put_document
    from provision.models.memory.split import Split

    asked = model_asked(name, engine, quantisation)
    split = Split(tensor_parallel, pipeline_parallel)
    sheet = sheet_of(asked, split, context, parallel, kv_cache)
    if as_json:
        put_document(sheet)
    else:
        show_sheet(sheet)
