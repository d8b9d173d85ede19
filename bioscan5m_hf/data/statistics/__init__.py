"""What a dataset holds, counted exactly: from its Parquet files, a row group at a time; photographs are never read."""

from .count import statistics
from .differences import published_differences
from .files import write_tables
from .result import TABLES, Statistics


__all__ = ["TABLES", "Statistics", "published_differences", "statistics", "write_tables"]
