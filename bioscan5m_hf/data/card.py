"""The dataset card: its YAML is the loader, its tables come from the declarations and from what was built."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from .. import __version__, splits
from .kinds import ABOUT, Kind
from .manifest import REJECTED, Manifest, write_text
from .packages import IMAGE_PACKAGES, PACKAGES
from .schema import COLUMNS, IMAGE, IMAGE_MEANING, features, specimen_fields, taxonomy_fields


DESCRIPTIONS = {
    "cropped_256": "cropped photographs, shorter side 256 pixels, and all columns",
    "original_256": "whole photographs, 256 pixels high, and all columns",
    "cropped": "cropped photographs at full size, and all columns",
    "original_full": "whole photographs, 1024×768 pixels, and all columns",
    "metadata": "all columns but the photograph",
    "taxonomy": "every name of every rank: label index, parents, records in each split",
    "sample": "a few hundred specimens over all splits and orders, with photographs",
}
"""All configs, the default first; the first one that was built is the default."""

_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)
_MARKUP = {sign: f"&#{ord(sign)};" for sign in "[]|`*\\"} | {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_COUNTS = {
    "records": "records read",
    "photographs": "photographs found in the archives",
    "rows": "rows written",
    "rejected": "left out",
    "records_left_out": "records left out",
    "photographs_left_out": "photographs left out",
}


@dataclass(frozen=True)
class SplitFacts:
    """One split of a config.

    Args:
        name: its name.
        rows: number of rows; None where nobody has counted them.
        file_bytes: bytes of its shards; None where it was not built.
        memory_bytes: bytes of its columns, uncompressed; None where it was not built.
    """

    name: str
    rows: int | None
    file_bytes: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class ConfigFacts:
    """One config.

    Args:
        name: its name.
        splits: its splits that have rows.
        size: its size in words, where no files were counted.
    """

    name: str
    splits: tuple[SplitFacts, ...]
    size: str = ""

    @property
    def fields(self) -> list[pa.Field]:
        """The Arrow fields of its rows."""
        if self.name == "taxonomy":
            return taxonomy_fields(splits.SPLIT_NAMES)
        return specimen_fields(image=self.name != "metadata")

    @property
    def rows(self) -> int | None:
        """Rows of all its splits; None where nobody has counted them."""
        rows = [split.rows for split in self.splits]
        return None if None in rows else sum(row or 0 for row in rows)

    @property
    def file_bytes(self) -> int | None:
        """Bytes of all its shards; None where it was not built."""
        sizes = [split.file_bytes for split in self.splits]
        return None if None in sizes else sum(size or 0 for size in sizes)


@dataclass(frozen=True)
class CardFacts:
    """What a card says that is not the same for all.

    Args:
        configs: the configs, in the order of `DESCRIPTIONS`.
        state: what was built; None for the card of the official release.
        path: what `load_dataset` is given.
        hub_path: the repository on the Hub.
    """

    configs: tuple[ConfigFacts, ...]
    state: Manifest | None = None
    path: str = "bioscan-5m"
    hub_path: str = "ORG/bioscan-5m"

    @property
    def kind(self) -> Kind:
        """Whose specimens they are."""
        return Kind.OFFICIAL if self.state is None else self.state.kind


def write_card(state: Manifest) -> Path:
    """Write `README.md` of a dataset folder with the numbers of what was built.

    Args:
        state: the manifest of the folder.
    """
    names = [name for name in DESCRIPTIONS if name in state.configs and state.configs[name].complete]
    configs = tuple(ConfigFacts(name, _built_splits(state, name)) for name in names)
    path = state.folder / "README.md"
    hub = {} if state.repository is None else {"hub_path": state.repository}
    facts = CardFacts(tuple(one for one in configs if one.splits), state, path=state.folder.resolve().name, **hub)
    write_text(path, render(facts))
    return path


def official_card() -> str:
    """Give the card of the official release, with the numbers its authors published.

    Examples:
        >>> official_card().startswith("---") and "5,150,850" in official_card()
        True
    """
    everything = tuple(SplitFacts(split.name, split.specimens) for split in splits.SPLITS)
    sizes = {name: f"about {_published_size(name)}" for name in IMAGE_PACKAGES}
    uncounted = tuple(SplitFacts(split.name, None) for split in splits.SPLITS)
    known = {"taxonomy": (SplitFacts("train", None),), "sample": uncounted}
    configs = [
        ConfigFacts(name, known.get(name, everything), sizes.get(name, "not measured")) for name in DESCRIPTIONS
    ]
    return render(CardFacts(tuple(configs), path="ORG/bioscan-5m"))


def render(facts: CardFacts) -> str:
    """Fill the template.

    Args:
        facts: what differs from card to card.
    """
    sized = [config for config in facts.configs if config.name != "taxonomy"]
    metadata = next((config for config in sized if config.name == "metadata"), sized[0])
    text: str = _template().render(
        yaml=yaml.safe_dump(_front_matter(facts), sort_keys=False, allow_unicode=True, width=120),
        title=ABOUT[facts.kind].title,
        kind=facts.kind,
        specimens=_number(metadata.rows),
        has_images=facts.configs[0].name in IMAGE_PACKAGES,
        path=facts.path,
        hub_path=facts.hub_path,
        first_split=_first_split(facts.configs[0]),
        configs=[_config_row(config, config is facts.configs[0]) for config in facts.configs],
        splits=[_split_row(split) for split in metadata.splits],
        columns=list(_column_rows()),
        counts=list(_count_rows(facts.state)) if facts.state else [],
        rejected=facts.state is not None and (facts.state.folder / REJECTED).exists(),
        notes=[note for config in facts.state.configs.values() for note in config.notes] if facts.state else [],
        inputs=_inputs(facts.state) if facts.state else [],
        version=__version__,
    )
    return text


def _front_matter(facts: CardFacts) -> dict[str, Any]:
    rows = max(config.rows or 0 for config in facts.configs)
    about = ABOUT[facts.kind]
    return {
        "license": about.licence,
        "language": ["en"],
        "pretty_name": about.name,
        "size_categories": [next((name for limit, name in _SIZES if rows < limit), "n>10M")],
        "task_categories": ["image-classification", "zero-shot-image-classification", "feature-extraction"],
        "task_ids": ["multi-class-image-classification"],
        "annotations_creators": [about.annotations],
        "tags": [
            *(["invented", "synthetic"] if facts.kind is Kind.INVENTED else []),
            "biology",
            "dna",
            "insects",
            "biodiversity",
            "taxonomy",
            "multimodal",
            "image",
            "tabular",
            "datasets",
        ],
        "configs": [_config_entry(config, config is facts.configs[0]) for config in facts.configs],
        "dataset_info": [_info_entry(config) for config in facts.configs],
    }


def _config_entry(config: ConfigFacts, default: bool) -> dict[str, Any]:
    files = [{"split": split.name, "path": f"{config.name}/{split.name}-*.parquet"} for split in config.splits]
    return {"config_name": config.name, **({"default": True} if default else {}), "data_files": files}


def _info_entry(config: ConfigFacts) -> dict[str, Any]:
    entry: dict[str, Any] = {"config_name": config.name, "features": features(config.fields)._to_yaml_list()}
    if config.rows is not None:
        entry["splits"] = [_split_entry(split) for split in config.splits]
    if config.file_bytes is not None:
        entry["download_size"] = config.file_bytes
        entry["dataset_size"] = sum(split.memory_bytes or 0 for split in config.splits)
    return entry


def _split_entry(split: SplitFacts) -> dict[str, Any]:
    size = {} if split.memory_bytes is None else {"num_bytes": split.memory_bytes}
    return {"name": split.name, **size, "num_examples": split.rows}


def _config_row(config: ConfigFacts, default: bool) -> dict[str, Any]:
    size = config.size if config.file_bytes is None else readable_bytes(config.file_bytes)
    every = len(config.splits) == len(splits.SPLITS)
    return {
        "name": config.name,
        "default": default,
        "description": DESCRIPTIONS[config.name],
        "splits": "all eight" if every else ", ".join(f"`{split.name}`" for split in config.splits),
        "rows": _number(config.rows),
        "size": size,
    }


def _split_row(split: SplitFacts) -> dict[str, Any]:
    known = splits.BY_NAME[split.name]
    return {
        "name": split.name,
        "metasplit": known.metasplit or "",
        "rows": _number(split.rows),
        "role": known.role,
    }


def _column_rows() -> Iterable[dict[str, str]]:
    yield {"name": IMAGE, "type": "Image", "meaning": IMAGE_MEANING, "unit": "", "example": ""}
    for column in COLUMNS:
        nullable = "" if column.required else ", may be null"
        row = {"name": column.name, "type": str(column.type) + nullable, "meaning": column.meaning}
        yield {**row, "unit": column.unit, "example": f"`{column.example}`" if column.example else ""}


def _count_rows(state: Manifest) -> Iterable[dict[str, str]]:
    for name, config in state.configs.items():
        for count, number in config.counts.items():
            yield {"config": name, "what": _COUNTS[count], "number": f"{number:,}"}


def _inputs(state: Manifest) -> list[tuple[str, str]]:
    return sorted({item for config in state.configs.values() for item in config.inputs.items()})


def _built_splits(state: Manifest, config: str) -> tuple[SplitFacts, ...]:
    names: Sequence[str] = ("train",) if config == "taxonomy" else splits.SPLIT_NAMES
    found = []
    for name in names:
        files = state.files(config, name)
        if files:
            footers = [pq.read_metadata(file) for file in files]
            memory = sum(
                foot.row_group(group).total_byte_size for foot in footers for group in range(foot.num_row_groups)
            )
            rows = sum(foot.num_rows for foot in footers)
            found.append(SplitFacts(name, rows, sum(file.stat().st_size for file in files), memory))
    return tuple(found)


def _number(number: int | None) -> str:
    return "not counted" if number is None else f"{number:,}"


def _first_split(config: ConfigFacts) -> str:
    names = [split.name for split in config.splits]
    return "train" if "train" in names else names[0]


def _published_size(image_package: str) -> str:
    """Give the size the authors state for all splits of a package."""
    of_package = [package for package in PACKAGES if package.image_package == image_package]
    whole = next((package for package in of_package if len(package.splits) == len(splits.SPLITS)), None)
    return (whole.approximate if whole else "").removeprefix("~").removesuffix(" total") or "unknown"


def readable_bytes(size: int) -> str:
    """Write a number of bytes for people, in powers of 1000.

    Examples:
        >>> readable_bytes(39_100_000_000), readable_bytes(512)
        ('39.1 GB', '512 B')
    """
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def plain(text: str) -> str:
    """Take the meaning from what Markdown and HTML would read as markup, in words that come from a release.

    Examples:
        >>> plain("<img> [a](b)|c")
        '&lt;img&gt; &#91;a&#93;(b)&#124;c'
    """
    return "".join(_MARKUP.get(letter, letter) for letter in text if letter.isprintable())


@cache
def _template() -> jinja2.Template:
    text = Path(__file__).with_name("card.md.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(keep_trailing_newline=True, undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["plain"] = plain
    return environment.from_string(text)
