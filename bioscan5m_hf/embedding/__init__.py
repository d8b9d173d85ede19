"""Barcodes to embeddings, and embeddings to names: what is done with a trained model."""
