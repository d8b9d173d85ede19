"""Protocols of evaluation: an encoder is known by its embeddings only."""
