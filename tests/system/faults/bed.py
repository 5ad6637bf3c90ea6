"""A container host with two instances behind nginx, and the faults that can be made on it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..machine import Host
from ..testbed.shell import Shell
from .picture import Picture
from .traces import DROP_IN, FAULTS_ON, LEFT, MAIL, RUN

CHAT = "llama-server@chat.0.service"
TINY = "/opt/models/tiny.gguf"
FAULTY = "/opt/faulty/llama-server"
ENGINE = Path(__file__).with_name("faulty_engine.py")
# Six seconds more for every start would be most of these tests' time; one row is about them.
APPLY = "apply /root/host.yaml --yes --steady 0"


class Bed(Host):
    """chat and mail: faults are made for mail, and chat must never notice."""

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell)
        self._mark = 0
        self._texts: dict[str, str] = {}  # host.yaml by mark
        self._stands = ""  # the mark of the last apply that was good

    def prepare(self) -> None:
        """The first apply, and the engine that misbehaves on request."""
        self.run(f"mkdir -p {RUN} /opt/faulty")
        self.shell.put(ENGINE, FAULTY)
        self.run(f"chmod 755 {FAULTY}")
        self.heals(self.want())

    # --- what is wanted ---------------------------------------------------------------------------

    def want(
        self,
        *,
        listen: int = 8080,
        others: Mapping[str, Mapping[str, Any]] | None = None,
        **mail: Any,
    ) -> str:
        """Write a host.yaml that differs from the last one in mail; its mark.

        mail: more keys of that instance. listen: the port of the proxy. others: further instances,
        with the keys that they have besides.
        """
        self._mark += 1
        mark = str(self._mark)
        plain = {
            "engine": "llama-server",
            "model": TINY,
            "gpus": 0,
            "numa": "off",
            "context": 256,
        }
        env = {"LLAMA_MARK": mark, **mail.pop("env", {})}
        further = {name: {**plain, **keys} for name, keys in (others or {}).items()}
        wanted = {
            "version": 1,
            "instances": {"chat": plain, "mail": {**plain, "env": env, **mail}, **further},
            "proxy": {"listen": listen},
        }
        self._texts[mark] = json.dumps(wanted)
        self.spec(self._texts[mark])
        return mark

    def live_mark(self) -> str | None:
        """The mark in the environment of the mail that runs."""
        return self.environment(MAIL).get("LLAMA_MARK")

    # --- what came of it --------------------------------------------------------------------------

    def provision(self, words: str) -> tuple[int, str]:
        """The exit code of a command and all that it said; never a traceback."""
        code, said = self.code(f"provision {words}", timeout=120)
        assert "Traceback" not in said, said
        return code, said

    def applied(self, options: str = "") -> tuple[int, str]:
        """Exit code and words of an apply of what is wanted."""
        return self.provision(f"{APPLY} {options}")

    def fails(self, code: int, *words: str, verb: str = APPLY) -> str:
        """The command ends with this code and says these words, and what to do."""
        found, said = self.provision(verb)
        assert found == code, said
        told = said[max(0, said.find("error:")) :]  # not the list of what is to be changed
        for word in words:
            assert word in told, f"{word!r} is not said in:\n{said}"
        return told

    def heals(self, mark: str, options: str = "") -> None:
        """With the fault gone, the plain apply that failed brings everything up."""
        code, said = self.applied(options)
        assert code == 0, said
        self.is_green(mark)

    def as_it_stands(self) -> str:
        """Write the host.yaml of the last apply that was good; its mark."""
        self.spec(self._texts[self._stands])
        return self._stands

    def stands(self) -> None:
        """For the last apply that was good the host is as planned: it has nothing to do."""
        self.as_it_stands()
        code, said = self.applied()
        assert code == 0 and "Nothing to change" in said, said

    def is_green(self, mark: str) -> None:
        """After an apply, which has proven its claims: this mail runs, both ways in answer."""
        assert self.live_mark() == mark
        self._stands = mark
        self.answers()

    def answers(self, *ways: str) -> None:
        """A token through nginx, of chat (`/`) and of mail unless others are asked for."""
        asked = json.dumps({"prompt": "Hi", "max_tokens": 2, "temperature": 0})
        for way in ways or ("/", "/mail/"):
            said = self.run(
                f"curl -s -m 30 -H 'Content-Type: application/json' -d '{asked}'"
                f" http://127.0.0.1:8080{way}v1/completions"
            )
            assert json.loads(said)["usage"]["completion_tokens"] >= 1, said

    def picture(self) -> Picture:
        return Picture.of(self)

    def is_untouched(self, before: Picture) -> None:
        """Nothing was written, nothing was restarted, nothing is left."""
        before.is_untouched(self.picture())
        self.nothing_left()
        self.answers()

    def is_back(self, before: Picture, restarted: Iterable[str] = (MAIL,)) -> None:
        """Files and units as they were; mail may have been started anew, chat was not."""
        before.is_back(self.picture(), restarted)
        self.nothing_left()
        self.answers()

    def nothing_left(self) -> None:
        """No journal, no temporary file, no timer, nobody kept out of the balancer by an apply."""
        assert self.run(LEFT) == ""

    def no_fault_is_on(self) -> None:
        """What the row before did to the host is undone: of the tests, not of the product."""
        assert self.run(FAULTS_ON) == ""

    # --- faults -----------------------------------------------------------------------------------

    @contextlib.contextmanager
    def small_disk(self, folder: str) -> Iterator[None]:
        """A file system of its own over a folder, with all that is in it; see `fill`.

        Afterwards what then stands in the folder stands on the disk below.
        """
        self.run(
            "mkdir -p /mnt/real /mnt/small"
            f" && mount --bind {folder} /mnt/real && mount --make-private /mnt/real"
            " && mount -t tmpfs -o size=64m,mode=755 faults /mnt/small"
            f" && cp -a /mnt/real/. /mnt/small/ && mount --bind /mnt/small {folder}"
        )
        try:
            yield
        finally:
            self.free(folder)
            self.run(
                "find /mnt/real -mindepth 1 -delete && cp -a /mnt/small/. /mnt/real/"
                f" && umount {folder} /mnt/small /mnt/real && systemctl daemon-reload"
            )

    def fill(self, folder: str) -> None:
        """Not one block more for this folder."""
        self.run(filling(folder))

    def free(self, folder: str) -> None:
        """Room again."""
        self.run(f"mount -o remount,size=64m {folder}")

    @contextlib.contextmanager
    def read_only(self, folder: str) -> Iterator[None]:
        """Nothing can be written in this folder."""
        self.run(f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}")
        try:
            yield
        finally:
            self.run(f"umount {folder} && systemctl daemon-reload")

    @contextlib.contextmanager
    def just_before_the_journal(self, line: str) -> Iterator[None]:
        """Root runs this when all checks are over: units have to change, since a program that
        looks at them is stood in for. Where nobody is asked it is called once."""
        path = "/usr/local/sbin/systemd-analyze"
        text = f'#!/bin/sh\n{line}\nexec /usr/bin/systemd-analyze "$@"'
        self.run(f"cat > {path}; chmod 755 {path}", input=text)
        try:
            yield
        finally:
            self.run(f"rm -f {path}")

    @contextlib.contextmanager
    def while_mail_starts(self, line: str, *, every_time: bool = False) -> Iterator[None]:
        """Root runs this just before mail's program is started: in the middle of an apply.

        Only at the next start unless every_time, so that the way back is not disturbed.
        """
        guard = "" if every_time else f"rm {RUN}/once 2>/dev/null || exit 0\n"
        self.run(f"touch {RUN}/once; cat > {RUN}/hook", input=f"{guard}{line}\n")
        try:
            with self.mails_unit_has("[Service]", f"ExecStartPre=+/bin/sh {RUN}/hook"):
                yield
        finally:
            self.run(f"rm -f {RUN}/*")

    @contextlib.contextmanager
    def mails_unit_has(self, *lines: str) -> Iterator[None]:
        """A drop-in of the test's own, outside of all that provision looks after."""
        text = "\n".join([*lines, ""])
        self.run(
            f"mkdir -p {Path(DROP_IN).parent} && cat > {DROP_IN} && systemctl daemon-reload",
            input=text,
        )
        try:
            yield
        finally:
            self.run(f"rm -r {Path(DROP_IN).parent} && systemctl daemon-reload")

    @contextlib.contextmanager
    def missing(self, path: str) -> Iterator[None]:
        """A file is not where it was."""
        self.run(f"mv {path} {path}.away")
        try:
            yield
        finally:
            self.run(f"test ! -e {path}.away || mv {path}.away {path}")


def filling(folder: str) -> str:
    """A shell line after which a small disk has not one free block."""
    used = f"$(df -k --output=used {folder} | tail -n 1 | tr -d ' ')"
    return f"mount -o remount,size={used}k {folder}"
