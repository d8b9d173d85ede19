"""What a dataset holds, counted exactly: from its Parquet files, a row group at a time; photographs are never read."""

from .count import statistics
from .differences import published_differences
from .files import check_folder, write_tables
from .result import TABLES, Statistics


__all__ = ["TABLES", "Statistics", "check_folder", "published_differences", "statistics", "write_tables"]
