"""`nvidia-smi nvlink -s` and `-R`: the NVLinks of each GPU and where they end."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..answers import NvmlLink

_GPU = re.compile(r"\s*GPU (\d{1,3}): ", re.ASCII)
_LINK = re.compile(r"\s*Link (\d{1,3}): (.*\S)", re.ASCII)
_REMOTE = re.compile(
    r"Remote Device ([0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-7])", re.ASCII
)
_NO_LINKS = ("all links are inactive", "does not have or support nvlink")


def parse_links(text: str) -> dict[int, tuple[NvmlLink, ...]]:
    """The links of `nvlink -s` by GPU; a GPU that may not be asked (MIG) is not in it.

    A GPU whose links are all down has no lines of links, only a sentence, and so none here either.
    """
    found: dict[int, dict[int, NvmlLink]] = {}
    gpu: int | None = None
    for line in text.splitlines():
        head, link = _GPU.match(line), _LINK.match(line)
        if head:
            gpu = int(head[1])
        elif gpu is not None and link:
            number = int(link[1])
            found.setdefault(gpu, {})[number] = NvmlLink(number, active=_active(link[2]))
        elif gpu is not None and any(words in line.lower() for words in _NO_LINKS):
            found.setdefault(gpu, {})
    return {at: tuple(links[one] for one in sorted(links)) for at, links in found.items()}


def _active(state: str) -> bool | None:
    """`25 GB/s` and `<inactive>`."""
    low = state.lower()
    if "inactive" in low or "disabled" in low:
        return False
    return True if re.search(r"\d\s*[gt]b/s", low) or "active" in low else None


def parse_remotes(text: str) -> dict[tuple[int, int], str]:
    """The PCI addresses at the other ends of `nvlink -R`, by GPU and link."""
    found: dict[tuple[int, int], str] = {}
    gpu: int | None = None
    for line in text.splitlines():
        head, link = _GPU.match(line), _LINK.match(line)
        remote = _REMOTE.match(link[2]) if link else None
        if head:
            gpu = int(head[1])
        elif gpu is not None and link and remote:
            found[gpu, int(link[1])] = remote[1]
    return found


def with_remotes(
    links: Mapping[int, tuple[NvmlLink, ...]],
    remotes: Mapping[tuple[int, int], str],
    buses: frozenset[str],
    peers: Mapping[int, int],
) -> dict[int, tuple[NvmlLink, ...]]:
    """The links with their other ends. buses: of all GPUs, in lower case.

    peers: the NVLinks that the matrix counts from each GPU to all others. More than the GPU has
    can only be reached through a switch; nvidia-smi itself does not tell what the other end is.
    """
    done: dict[int, tuple[NvmlLink, ...]] = {}
    for gpu, own in links.items():
        active = [link.link for link in own if link.active]
        switched = peers.get(gpu, 0) > len(active)
        ends = _ends_by_link(gpu, active, remotes)
        with_ends: list[NvmlLink] = []
        for link in own:
            remote = ends.get(link.link)
            kind = 0 if remote and remote.lower() in buses else 2 if switched else None
            with_ends.append(replace(link, remote=remote, kind=kind if link.active else None))
        done[gpu] = tuple(with_ends)
    return done


def _ends_by_link(
    gpu: int, active: Sequence[int], remotes: Mapping[tuple[int, int], str]
) -> dict[int, str]:
    """The other ends by link of -s.

    -R of R555 counts the active links alone: of an H100 with 0-3, 6-9 and 12-15 up it lists 0-11.
    """
    told = {link: end for (at, link), end in sorted(remotes.items()) if at == gpu}
    if set(told) <= set(active):
        return told
    if len(told) != len(active):
        return {}
    return dict(zip(active, told.values(), strict=True))
