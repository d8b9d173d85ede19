"""Tasks in words, for a terminal."""

from __future__ import annotations

import textwrap

from .task import Task


WIDTH = 100


def listed(task: Task) -> str:
    """Give what a task measures, its splits, rule and main score.

    Examples:
        >>> from bioscan5m_hf.evaluation.tasks import find_task
        >>> print(listed(find_task("knn-genus-unseen")).splitlines()[0])
        knn-genus-unseen (dna, image)
    """
    rows = {"splits": _splits(task), "rule": f"{task.metric}; ties: {task.ties}", "main score": _main(task)}
    return "\n".join([f"{task.name} ({', '.join(task.modalities)})", _wrapped(task.question, "  "), *_rows(rows)])


def described(task: Task) -> str:
    """Give everything that a task says of itself.

    Examples:
        >>> from bioscan5m_hf.evaluation.tasks import find_task
        >>> "k = 1" in described(find_task("knn-genus-unseen"))
        True
    """
    settings = (f"{name} = {_shown(value)}" for name, value in task.settings.items())
    rows = {
        "revision": str(task.revision),
        "splits": _splits(task),
        "ranks": ", ".join(task.ranks),
        "rows": _preprocessing(task),
        "metric": task.metric,
        "ties": task.ties,
        "main score": _main(task),
        "seed": str(task.seed),
        "needs": _needs(task),
        "settings": "; ".join(settings) or "none",
        "source": task.reference,
        "published": task.published,
    }
    return "\n".join([f"{task.name} ({', '.join(task.modalities)})", _wrapped(task.question, "  "), *_rows(rows)])


def _main(task: Task) -> str:
    others = (f"; of {modality}: {main}" for modality, main in task.mains.items())
    return "".join([task.main, *others])


def _splits(task: Task) -> str:
    parts = {"fitted to": task.fit, "chosen on": task.tune, "keys": task.keys, "queries": task.queries}
    found = "; ".join(f"{name} {', '.join(splits)}" for name, splits in parts.items() if splits)
    return f"{found}; as far as the dataset has them" if task.where_there else found


def _preprocessing(task: Task) -> str:
    with_photographs = task.one_per_barcode and "image" in task.modalities
    return task.preprocessing + ("; of photographs every specimen's" if with_photographs else "")


def _needs(task: Task) -> str:
    aligned = ", or an aligner" if task.by_alignment else ""
    return f"a classifier's names{aligned}" if task.needs == "names" else f"vectors{aligned}"


def _shown(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _rows(rows: dict[str, str]) -> list[str]:
    return [_wrapped(text, f"  {name:<11}") for name, text in rows.items()]


def _wrapped(text: str, before: str) -> str:
    lines = textwrap.wrap(text, WIDTH - len(before), break_long_words=False, break_on_hyphens=False)
    return f"\n{' ' * len(before)}".join([before + lines[0], *lines[1:]])
