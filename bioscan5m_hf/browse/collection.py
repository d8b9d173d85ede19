"""A dataset as the page sees it: catalogue, rows, photographs, names; what is asked of it, without the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ..data.folder import kind_of
from ..data.kinds import Kind
from ..data.packages import IMAGE_PACKAGES
from ..data.schema import COLUMN_NAMES
from ..data.sources import METADATA, open_source
from ..errors import Bioscan5mError
from .catalogue import Catalogue, read_catalogue, source_tables
from .naming import Classifier, Library, load_naming
from .shards import LostError, Photographs, Shards


class Near(NamedTuple):
    """A specimen that is near.

    Args:
        row: what is known of it.
        similarity: to what it was found by.
        number: of its row in the dataset; None where it is not there.
    """

    row: dict[str, Any]
    similarity: float
    number: int | None


@dataclass
class Collection:
    """Specimens that can be looked for, shown and named.

    Args:
        name: the dataset, as it was given.
        catalogue: what is filtered by.
        shards: where the rows are.
        photographs: of the specimens; None where the dataset has none.
        library: an index, for neighbours.
        naming: what names are given by.
        invented: nothing of the dataset is real.
    """

    name: str
    catalogue: Catalogue
    shards: Shards
    photographs: Photographs | None = None
    library: Library | None = None
    naming: Library | Classifier | None = None
    invented: bool = False
    columns: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.columns = [name for name in COLUMN_NAMES if name in self.shards.source.features]

    def rows(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        """Read specimens by their rows, in the given order; their photographs begin to be read, too."""
        places = [self.catalogue.place(number) for number in numbers]
        by_split: dict[str, list[int]] = {}
        for split, place in places:
            by_split.setdefault(split, []).append(place)
        found = {}
        for split, some in by_split.items():
            if self.photographs is not None:
                self.photographs.expect(split, some)
            rows = self.shards.rows(split, some, self.columns)
            found.update({(split, place): {**row, "split": split} for place, row in rows.items()})
        return [found[place] for place in places]

    def photograph(self, number: int) -> bytes | None:
        """Give the photograph of a row; None where the dataset has no photographs.

        Raises:
            IndexError: there is no such row.
            LostError: it has none, or another specimen is there.
        """
        if self.photographs is None:
            return None
        split, place = self.catalogue.place(number)
        return self.photographs.get(split, place, self.catalogue.processids[number].as_py())

    def neighbours(self, processid: str) -> list[Near]:
        """Find what is nearest to a specimen.

        Raises:
            Bioscan5mError: there is no index, or it cannot say.
        """
        if self.library is None:
            raise Bioscan5mError("there is no index: start with --index KEYS")
        numbers = self.catalogue.rows_of([processid])
        if processid not in numbers:
            raise Bioscan5mError(f"there is no specimen {processid}")
        number = numbers[processid]
        return self.found(self.library.neighbours(self.rows([number])[0], self._shown(number)))

    def found(self, nearest: Sequence[tuple[str, float]]) -> list[Near]:
        """Give the rows of keys, in their order; of those that are not in the dataset, what the index says of them."""
        ids = [identity for identity, _ in nearest]
        numbers = self.catalogue.rows_of(ids) if ids else {}
        here = dict(zip(numbers, self.rows(list(numbers.values())), strict=True))
        lacking = [one for one in ids if one not in here]
        known = here if self.library is None else {**here, **self.library.about(lacking)}
        return [Near(known[one], score, numbers.get(one)) for one, score in nearest if one in known]

    def _shown(self, number: int) -> bytes | None:
        """Give a photograph to embed; a specimen without one has its barcode."""
        try:
            return self.photograph(number)
        except LostError:
            return None


def open_collection(
    dataset: str | Path,
    *,
    index: str | Path | None = None,
    model: str | None = None,
    revision: str | None = None,
    model_revision: str | None = None,
) -> Collection:
    """Open a dataset for the page: filters are read into memory, rows and photographs stay where they are.

    Args:
        dataset: folder, Hub id, or name in the prepared cache.
        index: folder that `bioscan5m index` wrote.
        model: of the index, or a fine-tuned one.
        revision: of the dataset on the Hub.
        model_revision: of the model on the Hub.

    Raises:
        Bioscan5mError: one of them is not there, or they do not belong together.
    """
    from datasets import get_dataset_config_names
    from datasets.exceptions import DatasetNotFoundError

    try:
        there = get_dataset_config_names(str(dataset), revision=revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no dataset {dataset}: name a folder that `bioscan5m build` wrote, or a repository on the Hub"
        ) from error
    packages = [name for name in IMAGE_PACKAGES if name in there]
    if not packages and METADATA not in there:
        raise Bioscan5mError(f"{dataset} is no dataset of specimens: its configs are {', '.join(there)}")
    library, naming = load_naming(model, index, model_revision)  # before the rows, which take longer
    shown = open_source(dataset, packages[0], revision) if packages else None
    light = open_source(dataset, METADATA, revision) if METADATA in there else shown
    assert light is not None
    if shown is not None and shown.rows != light.rows:
        light = shown  # a build can leave specimens out whose photograph is bad
    return Collection(
        str(dataset),
        read_catalogue(source_tables(light)),
        Shards(light),
        None if shown is None else Photographs(Shards(shown)),
        library,
        naming,
        kind_of(dataset, revision) is Kind.INVENTED,
    )
