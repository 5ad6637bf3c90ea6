"""nginx on the host: program, version, configuration, and the modules it has, finds and loads."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterator

from ...facts import NginxFound
from ..source import Source
from ..tree import Tree

_PLACES = (
    "/usr/sbin/nginx",
    "/usr/local/sbin/nginx",
    "/usr/local/nginx/sbin/nginx",
    "/usr/local/openresty/nginx/sbin/nginx",
    "/usr/bin/nginx",
)
_CONFIGURATION = "/etc/nginx/nginx.conf"
_MODULE_FOLDERS = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules")
_MOST_FILES = 64  # included files that are read
_TOKEN = re.compile(r"""#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[{};]|(?:[^\s{};"'\\]|\\.)+""")


def read_nginx(source: Source) -> NginxFound | None:
    """The nginx that `which` or the usual places tell; None when there is none."""
    path = source.which("nginx")
    path = path or next((one for one in _PLACES if source.is_file(one)), None)
    if path is None:
        return None
    said = _said(source, path)
    found = parse_build(path, said)
    return dataclasses.replace(
        found,
        dynamic_modules=_dynamic_modules(source, modules_folder(said)),
        loaded_modules=_loaded_modules(source, found.configuration),
    )


def parse_build(path: str, said: str) -> NginxFound:
    """The facts in the output of `nginx -V`; of the modules only http ones that are built in."""
    version = re.search(r"^nginx version: \S+?/(\d\S*)", said, re.MULTILINE)
    words = _arguments(said)
    configuration = [word.partition("=")[2] for word in words if word.startswith("--conf-path=")]
    modules = {
        match[1] for word in words if (match := re.fullmatch(r"--with-(http_\w+_module)", word))
    }
    return NginxFound(
        path=path,
        version=version[1] if version else None,
        configuration=configuration[-1] if configuration else _CONFIGURATION,
        modules=tuple(sorted(modules)),
    )


def modules_folder(said: str) -> str | None:
    """Where this nginx looks for modules, by `nginx -V`: --modules-path, else below its prefix."""
    told = {"--modules-path": "", "--prefix": ""}
    for word in _arguments(said):
        name, equals, value = word.partition("=")
        if equals and name in told:
            told[name] = value
    if told["--modules-path"]:
        return told["--modules-path"]
    return f"{told['--prefix'].rstrip('/')}/modules" if told["--prefix"] else None


def parse_main(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a configuration loads and includes at its top level, where alone load_module may stand.

    Gives the file names of the modules, and the patterns of the includes as written.
    """
    loads: list[str] = []
    includes: list[str] = []
    depth = 0
    words: list[str] = []
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.startswith("#"):
            continue
        if token not in ("{", "}", ";"):
            words.append(token.strip("\"'"))
            continue
        if token == ";" and depth == 0 and len(words) == 2:
            if words[0] == "load_module":
                loads.append(words[1].rpartition("/")[2])
            elif words[0] == "include":
                includes.append(words[1])
        depth = max(0, depth + {"{": 1, "}": -1, ";": 0}[token])
        words = []
    return tuple(loads), tuple(includes)


def _arguments(said: str) -> list[str]:
    line = re.search(r"^configure arguments:(.*)$", said, re.MULTILINE)
    try:
        return shlex.split(line[1]) if line else []
    except ValueError:
        return []


def _dynamic_modules(tree: Tree, folder: str | None) -> tuple[str, ...]:
    """The modules in the folder of this build, else in those of the distributions."""
    for one in (folder, *_MODULE_FOLDERS):
        found = tuple(name for name in tree.names(one) if name.endswith(".so")) if one else ()
        if found:
            return found
    return ()


def _loaded_modules(tree: Tree, configuration: str) -> tuple[str, ...]:
    """What the configuration loads itself, or in the files that it includes."""
    loads, patterns = parse_main(tree.text(configuration) or "")
    found = set(loads)
    folder = configuration.rpartition("/")[0]
    files = [
        path
        for pattern in patterns
        for path in _matching(tree, pattern if pattern[:1] == "/" else f"{folder}/{pattern}")
    ]
    for path in files[:_MOST_FILES]:
        found.update(parse_main(tree.text(path) or "")[0])
    return tuple(sorted(found))


def _matching(tree: Tree, pattern: str) -> Iterator[str]:
    """The files of an include, whose last part may be a pattern (glob(3), so no hidden ones)."""
    from fnmatch import fnmatchcase

    folder, _, name = pattern.rpartition("/")
    if not re.search(r"[*?\[]", name):
        yield pattern
    elif not re.search(r"[*?\[]", folder):
        for one in tree.names(folder):
            if fnmatchcase(one, name) and (one[0] != "." or name[:1] == "."):
                yield f"{folder}/{one}"


def _said(source: Source, path: str) -> str:
    ran = source.run([path, "-V"]) if source.may_trust(path) else None
    return ran.said if ran is not None and ran.ok else ""
