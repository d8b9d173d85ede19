"""From the official release files to a typed, streamable dataset."""
