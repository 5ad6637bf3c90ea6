"""Which generation a person means: a number, or the name of a checkpoint."""

from __future__ import annotations

from provision.host.errors import fail
from provision.host.files import Files


def generation_meant(files: Files, word: str) -> int:
    """The number; ProvisionError `no-generation` names the checkpoints that there are.

    A number is not looked up: 0 is what was before the first apply, and whether another one is
    kept is said by who loads it.
    """
    from provision import pipeline

    if word.isascii() and word.isdecimal():
        return int(word)
    named = {one.checkpoint: one.number for one in pipeline.history(files) if one.checkpoint}
    if word not in named:
        names = ", ".join(sorted(named))
        raise fail(
            "no-generation",
            f"{word!r} is neither a generation's number nor the name of a checkpoint",
            f"checkpoints here: {names}" if names else "provision history shows what there is",
        )
    return named[word]
