"""The partition of BIOSCAN-5M, as a procedure for any labelled table, and what it must not let through."""

from .assignment import comparable, partition
from .leaks import presence, species_in_two, species_without_keys
from .placeholders import is_placeholder


__all__ = ["comparable", "is_placeholder", "partition", "presence", "species_in_two", "species_without_keys"]
