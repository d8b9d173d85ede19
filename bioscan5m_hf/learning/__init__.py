"""What the training scripts stand on: recipes, barcode tables, chance by counters, batches, journals, checkpoints."""
