"""The builder that was not chosen: the same tables, given row by row from Python."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import datasets

from bioscan5m_hf import Bioscan5M


class Rows(datasets.GeneratorBasedBuilder):
    """A minimal `GeneratorBasedBuilder` over what `Bioscan5M` reads."""

    VERSION = datasets.Version("1.0.0")

    def __init__(self, *, data_dir: str, config_name: str) -> None:
        self.tables = Bioscan5M(data_dir=data_dir, config_name=config_name)
        super().__init__(dataset_name="rows", config_name=config_name, hash="rows")

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=self.tables.info.features)

    def _split_generators(self, downloads: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        return self.tables._split_generators(downloads)

    def _generate_examples(self, parts: list[Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
        for key, table in self.tables._generate_tables(parts):
            for number, row in enumerate(table.to_pylist()):
                yield (key, number), row
