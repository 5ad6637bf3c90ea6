"""What CPUs share: a physical core, a socket, a last level cache."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ...facts import CoreKind
from ...quantity import CpuSet
from ..tree import Tree

_CPU = "/sys/devices/system/cpu"
_MOST_SOCKETS_OF_ONE_CORE = 8


def physical_cores(tree: Tree, online: CpuSet) -> tuple[CpuSet, ...]:
    """SMT sibling sets of the online CPUs, one a physical core, ordered by first CPU.

    core_id is not used: it repeats over sockets and dies. A CPU of unknown siblings is a core of
    its own, and no CPU is in two cores whatever the firmware says.
    """
    names = _known_first(tree, online, ("core_cpus", "thread_siblings"))
    return shared_sets(online, lambda cpu: _of_topology(tree, cpu, names) or CpuSet())


def shared_sets(online: CpuSet, share: Callable[[int], CpuSet]) -> tuple[CpuSet, ...]:
    """The online CPUs parted into sets, by asking the first CPU of each set who is in it."""
    sets: list[CpuSet] = []
    left = set(online.ids)
    for cpu in online:
        if cpu not in left:
            continue
        one = frozenset(share(cpu).ids & left) | {cpu}
        sets.append(CpuSet(one))
        left -= one
    return tuple(sets)


def read_packages(
    tree: Tree, online: CpuSet, cores: Sequence[CpuSet], kinds: Sequence[CoreKind]
) -> tuple[CpuSet, ...]:
    """The online CPUs by socket; nothing where the kernel's packages are not sockets."""
    first = next(iter(online), None)
    if first is None or _has_books(tree, first):
        return ()
    by_id = _packages_by_id(tree, cores)
    by_list = _packages_by_list(tree, online)
    return sockets(online, by_id, by_list, len(cores), kinds)


def sockets(
    online: CpuSet,
    by_id: Sequence[CpuSet],
    by_list: Sequence[CpuSet],
    cores: int,
    kinds: Sequence[CoreKind] = (),
) -> tuple[CpuSet, ...]:
    """The packages that are sockets, from physical_package_id and from core_siblings.

    Empty input means not told. physical_package_id is -1 on some arm64 and riscv, and counts
    something else on ppc64 and ia64: there it disagrees with core_siblings, or
    every core is a package.
    """
    if by_id and by_list and len(by_id) != len(by_list):
        return ()
    found = tuple(by_list or by_id)
    if len(found) == cores > (_MOST_SOCKETS_OF_ONE_CORE if by_id else 1):
        return ()
    if clusters_of_one_chip(found, kinds):
        return (online,)
    return found


def clusters_of_one_chip(packages: Sequence[CpuSet], kinds: Sequence[CoreKind]) -> bool:
    """Whether the packages are a chip's clusters: several, and each of one kind of core alone.

    Symptom: a phone's chip with three packages. Older arm kernels give the cluster as package;
    no machine has sockets with unlike CPUs.
    """
    if len(packages) < 2 or len(kinds) < 2:
        return False
    return all(any(one <= kind.cpus for kind in kinds) for one in packages)


def read_caches(tree: Tree, online: CpuSet) -> tuple[CpuSet, ...]:
    """The online CPUs by shared last level cache; nothing where the kernel tells no caches.

    The last level is each CPU's highest level of a unified cache: on hybrid chips and chips with
    a low-power island it is not the same level everywhere.
    """
    told = False

    def share(cpu: int) -> CpuSet:
        nonlocal told
        cache = _last_level(tree, cpu)
        told = told or cache is not None
        return cache or CpuSet()

    caches = shared_sets(online, share)
    return caches if told else ()


def _last_level(tree: Tree, cpu: int) -> CpuSet | None:
    folder = f"{_CPU}/cpu{cpu}/cache"
    best: tuple[int, str] | None = None
    for name in tree.names(folder):
        if not re.fullmatch(r"index[0-9]{1,3}", name):
            continue
        level = tree.number(f"{folder}/{name}/level")
        if level is None or (best is not None and level <= best[0]):
            continue
        if tree.text(f"{folder}/{name}/type") == "Unified":
            best = (level, f"{folder}/{name}")
    return tree.cpus(f"{best[1]}/shared_cpu_list", f"{best[1]}/shared_cpu_map") if best else None


def _packages_by_id(tree: Tree, cores: Sequence[CpuSet]) -> tuple[CpuSet, ...]:
    """By physical_package_id, asked of the first CPU of each core; nothing when one is unknown."""
    packages: dict[int, frozenset[int]] = {}
    for core in cores:
        number = tree.number(f"{_CPU}/cpu{min(core.ids)}/topology/physical_package_id")
        if number is None or number == -1:
            return ()
        packages[number] = packages.get(number, frozenset()) | core.ids
    return tuple(CpuSet(one) for one in sorted(packages.values(), key=min))


def _packages_by_list(tree: Tree, online: CpuSet) -> tuple[CpuSet, ...]:
    """By core_siblings; nothing when one CPU does not tell them."""
    told = True
    names = _known_first(tree, online, ("package_cpus", "core_siblings"))

    def share(cpu: int) -> CpuSet:
        nonlocal told
        package = _of_topology(tree, cpu, names)
        told = told and package is not None
        return package or CpuSet()

    packages = shared_sets(online, share)
    return packages if told else ()


def _has_books(tree: Tree, cpu: int) -> bool:
    """Whether the kernel groups CPUs in books and drawers as on s390, where packages are chips."""
    return tree.is_file(f"{_CPU}/cpu{cpu}/topology/book_id")


def _known_first(tree: Tree, online: CpuSet, names: tuple[str, str]) -> tuple[str, str]:
    """A file's name from Linux 5.2 on and its older one, that of this kernel first."""
    first = next(iter(online), 0)
    newer = tree.is_file(f"{_CPU}/cpu{first}/topology/{names[0]}_list")
    return names if newer else (names[1], names[0])


def _of_topology(tree: Tree, cpu: int, names: tuple[str, str]) -> CpuSet | None:
    """The set of the first of these files that a CPU has, as a list or as a mask."""
    for name in names:
        file = f"{_CPU}/cpu{cpu}/topology/{name}"
        found = tree.cpus(f"{file}_list", file)
        if found:
            return found
    return None
