"""Small tables of barcodes."""

from __future__ import annotations

import pyarrow as pa

from bioscan5m_hf.learning.tables import make_table


def rows_of(barcodes, **labels):
    columns = {"processid": [f"P-{number}" for number in range(len(barcodes))], "dna_barcode": barcodes, **labels}
    return pa.table({name: pa.array(values, pa.string()) for name, values in columns.items()})


def table_of(folder, barcodes, layout="standard", **options):
    labels = options.pop("given", {})
    inputs = {"barcodes": barcodes, "given": {name: list(values) for name, values in labels.items()}}
    options.setdefault("labels", tuple(labels))
    return make_table([rows_of(barcodes, **labels)], folder, layout=layout, inputs=inputs, **options)
