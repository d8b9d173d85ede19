"""Streaming a row at a time without the cost of a table per row."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import datasets
import pyarrow as pa
from datasets.iterable_dataset import ArrowExamplesIterable
from PIL import ExifTags, Image

from .schema import IMAGE


_ROWS = 128
"""Rows turned into Python objects together; measured: from here on more of them gain nothing."""

_JPEG = b"\xff\xd8\xff"
Row = dict[str, Any]


class SpecimenStream(datasets.IterableDataset):  # type: ignore[misc]
    """An `IterableDataset` that gives the same rows in less time.

    `datasets` makes an Arrow table of each row on its way to Python, which costs a fifth of the time it takes to
    decode a small photograph. Here rows become Python objects a few at a time. That concerns plain iteration, also
    in data workers; whatever is made of the stream (`map`, `shuffle`, `with_format`, …) is as `datasets` has it. The
    same would hold if a later version of `datasets` did not call the method that is overridden here.
    """

    _ex_iterable: Any

    def _prepare_ex_iterable_for_iteration(self, batch_size: int = 1, drop_last_batch: bool = False) -> Any:  # noqa: ANN401
        usual = self._ex_iterable
        plain = type(usual) is ArrowExamplesIterable and batch_size == 1
        if not plain or self._formatting or self._distributed or self.epoch or not decodable(self.features):
            return super()._prepare_ex_iterable_for_iteration(batch_size, drop_last_batch)
        self._ex_iterable = _SpecimenRows(usual, self.features)
        try:
            return super()._prepare_ex_iterable_for_iteration(batch_size, drop_last_batch)
        finally:
            self._ex_iterable = usual


class _SpecimenRows(ArrowExamplesIterable):  # type: ignore[misc]
    """Rows of the builder `Specimens`, decoded."""

    def __init__(self, usual: ArrowExamplesIterable, features: datasets.Features) -> None:
        super().__init__(usual.generate_tables_fn, usual.kwargs, usual.generate_more_kwargs_fn)
        self._features = features

    @property
    def features(self) -> datasets.Features:
        """What the rows are, so that `datasets` does not decode them again."""
        return self._features

    def shard_data_sources(  # pragma: no cover  # in data workers, which are processes of their own
        self, num_shards: int, index: int, contiguous: bool = True
    ) -> _SpecimenRows:
        """Give the rows of one data worker."""
        return _SpecimenRows(super().shard_data_sources(num_shards, index, contiguous), self._features)

    def __iter__(self) -> Iterator[tuple[Any, Row]]:
        state = self._state_dict or self._init_state_dict()
        for part in self.kwargs["parts"][state["shard_idx"] :]:
            seen = 0
            for key, table in self.generate_tables_fn(**{**self.kwargs, "parts": [part]}):
                first, seen = max(0, state["shard_example_idx"] - seen), seen + len(table)
                for row in decoded_rows(table.slice(first)):
                    state["shard_example_idx"] += 1
                    yield key, row
            state["shard_idx"] += 1
            state["shard_example_idx"] = 0


def decodable(features: datasets.Features) -> bool:
    """Tell whether `decoded_rows` does all that is to be done with these features.

    Examples:
        >>> decodable(datasets.Features({"image": datasets.Image(), "order": datasets.Value("string")}))
        True
    """
    simple = {name: feature for name, feature in features.items() if not isinstance(feature, datasets.Value)}
    return simple in ({}, {IMAGE: datasets.Image()})


def decoded_rows(table: pa.Table) -> Iterator[Row]:
    """Give rows as Python objects, photographs as images.

    Examples:
        >>> list(decoded_rows(pa.table({"order": ["Diptera", None]})))
        [{'order': 'Diptera'}, {'order': None}]
    """
    names = table.column_names
    for start in range(0, len(table), _ROWS):
        part = table.slice(start, _ROWS)
        columns = [_bytes(part[name]) if name == IMAGE else part[name].to_pylist() for name in names]
        for values in zip(*columns, strict=True):
            row = dict(zip(names, values, strict=True))
            if IMAGE in row:
                row[IMAGE] = _decoded(row[IMAGE])
            yield row


def _bytes(column: pa.ChunkedArray) -> list[bytes]:
    return [jpeg for chunk in column.chunks for jpeg in chunk.field("bytes").to_pylist()]


def _decoded(jpeg: bytes) -> Image.Image:
    """Decode a photograph as `datasets.Image` does, which turns it where its EXIF data say so."""
    if jpeg.startswith(_JPEG):
        photograph = Image.open(io.BytesIO(jpeg), formats=("JPEG",))
        photograph.load()
        tagged = "exif" in photograph.info or "xmp" in photograph.info
        if not tagged or photograph.getexif().get(ExifTags.Base.Orientation, 1) == 1:
            return photograph
    return datasets.Image().decode_example({"path": None, "bytes": jpeg})  # type: ignore[no-any-return]
