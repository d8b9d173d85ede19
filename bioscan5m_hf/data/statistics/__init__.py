"""What a dataset holds, counted exactly: from its Parquet files, a row group at a time; photographs are never read."""

from .count import statistics
from .files import write_tables
from .result import TABLES, Statistics


__all__ = ["TABLES", "Statistics", "statistics", "write_tables"]
