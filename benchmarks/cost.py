"""What runs cost, and the table that compares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

FIGURES = ("wall s", "controller CPU s", "hosts CPU s")


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of one run. `hosts` is the sum over all hosts, None where no cgroup tells."""

    wall: float
    controller: float
    hosts: float | None

    def figure(self, name: str) -> float | None:
        return dict(zip(FIGURES, (self.wall, self.controller, self.hosts), strict=True))[name]

    def __str__(self) -> str:
        hosts = "unknown" if self.hosts is None else f"{self.hosts:.1f} s"
        return f"{self.wall:.1f} s, CPU: controller {self.controller:.1f} s, hosts {hosts}"


# By method and kind of run.
Round = Mapping[tuple[str, str], Cost]


def table(
    done: Sequence[Round],
    methods: Sequence[str],
    kinds: Sequence[str],
    versus: Sequence[tuple[str, str]],
) -> str:
    """Markdown: medians of each method, then for each pair of methods the first over the second."""
    ratios = [f"{one} / {other}" for one, other in versus]
    lines = [
        "| " + " | ".join(["run", "figure", *methods, *ratios]) + " |",
        "|---|---|" + "---:|" * (len(methods) + len(ratios)),
    ]
    for kind in kinds:
        for figure in FIGURES:
            cells = [_middle(done, method, kind, figure) for method in methods]
            cells += [_ratio(done, pair, kind, figure) for pair in versus]
            lines.append("| " + " | ".join([kind, figure, *cells]) + " |")
    return "\n".join(lines)


def _middle(done: Sequence[Round], method: str, kind: str, figure: str) -> str:
    found = [one[method, kind].figure(figure) for one in done]
    known = [value for value in found if value is not None]
    return f"{median(known):.1f}" if known else "unknown"


def _ratio(done: Sequence[Round], pair: tuple[str, str], kind: str, figure: str) -> str:
    """Median of the rounds' own ratios, and the smallest and largest of them."""
    top, bottom = pair
    pairs = [(one[top, kind].figure(figure), one[bottom, kind].figure(figure)) for one in done]
    known = sorted(a / b for a, b in pairs if b and a is not None)
    if not known:
        return "unknown"
    return f"{median(known):.2f} ({known[0]:.2f} to {known[-1]:.2f})"
