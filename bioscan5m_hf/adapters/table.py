"""The declarations as Markdown: a table for the README, and a page with all that is declared.

`python -m bioscan5m_hf.adapters.table > docs/adapters.md` writes the page again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from .declarations import ADAPTERS, Adapter


FACTS = {
    "pooling": "Vector",
    "special_tokens": "Special tokens",
    "padding": "Padding",
    "max_length": "What is read",
    "implementation": "Computed by",
    "published_rule": "The papers did otherwise",
    "unverified": "Not verified",
}
"""Fact of a declaration → what the page calls it."""

HEAD = """# Models that can be evaluated

Made from `bioscan5m_hf/adapters/declarations.py`. Ids are those that are known; others of a family can be named.
"""


def table(adapters: Sequence[Adapter] = ADAPTERS) -> str:
    """Write the families as a table, one a row.

    Examples:
        >>> print(table(())[:20])
        | family | for | vec
    """
    rows = [("family", "for", "vector", "for example"), ("---",) * 4]
    rows += [(one.name, one.modality, one.pooling, f"`{next(iter(one.models))}`") for one in adapters]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def page(adapters: Sequence[Adapter] = ADAPTERS) -> str:
    """Write all that is declared of the families.

    Examples:
        >>> page(()).splitlines()[0]
        '# Models that can be evaluated'
    """
    return HEAD + "".join(map(_section, adapters))


def _section(adapter: Adapter) -> str:
    groups = groupby(adapter.models.items(), key=lambda item: item[1])
    models = [f"{', '.join(f'`{name}`' for name, _ in some)}{_of(data)}" for data, some in groups]
    facts = [f"- {called}: {getattr(adapter, fact)}" for fact, called in FACTS.items() if getattr(adapter, fact)]
    lines = [f"- Models: {'; '.join(models)}", *facts, f"- Sources: {'; '.join(adapter.sources)}"]
    return f"\n## {adapter.name} ({adapter.modality})\n\n" + "\n".join(lines) + "\n"


def _of(data: tuple[str, ...]) -> str:
    return f", pretrained on {' and '.join(data)}" if data else ""


if __name__ == "__main__":
    sys.stdout.write(page())
