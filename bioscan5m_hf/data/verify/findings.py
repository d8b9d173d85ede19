"""What a check of a dataset folder says: a verdict with one line of text, and how it is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal


Status = Literal["ok", "warning", "error"]

SHOWN = 5
"""How many problems of one check are told one by one."""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Args:
        check: the check's name; empty until it is known which check speaks.
        status: `ok`, `warning` or `error`.
        text: one line.
        details: further lines, such as a table; not part of the printed line.

    Examples:
        >>> print(Finding("order", "ok", "1,000 rows"))
        ok       order          1,000 rows
    """

    check: str
    status: Status
    text: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.status:<8} {self.check:<14} {self.text}"


def ok(text: str, details: Iterable[str] = ()) -> Finding:
    """Say that a promise is kept, or something that is merely good to know.

    Examples:
        >>> ok("8 shards").status
        'ok'
    """
    return Finding("", "ok", text, tuple(details))


def warning(text: str, details: Iterable[str] = ()) -> Finding:
    """Say that something is unusual.

    Examples:
        >>> warning("no README.md").status
        'warning'
    """
    return Finding("", "warning", text, tuple(details))


def error(text: str, details: Iterable[str] = ()) -> Finding:
    """Say that a promise is broken.

    Examples:
        >>> error("no README.md").status
        'error'
    """
    return Finding("", "error", text, tuple(details))


def conclude(problems: Iterable[Finding], otherwise: str) -> list[Finding]:
    """Give the problems if there are any, else that all is well.

    Args:
        problems: what is wrong.
        otherwise: what to say if nothing is.

    Examples:
        >>> [str(one).strip() for one in conclude([], "8 shards")]
        ['ok                      8 shards']
    """
    return list(problems) or [ok(otherwise)]


def signed(check: str, findings: Iterable[Finding]) -> Iterator[Finding]:
    """Put the check's name on its findings, and sum up what is more than `SHOWN` lines.

    Args:
        check: the check's name.
        findings: what it found.

    Examples:
        >>> [one.text for one in signed("files", [error(str(n)) for n in range(7)])][-1]
        '… and 2 more like these'
    """
    more: list[Finding] = []
    for count, finding in enumerate(findings):
        if count < SHOWN:
            yield replace(finding, check=check)
        else:
            more.append(finding)
    if more:
        status: Status = "error" if any(one.status == "error" for one in more) else more[0].status
        yield Finding(check, status, f"… and {len(more)} more like these")
