"""A page of specimens: filters, cards, names for barcodes and photographs; on this machine, or as a Space."""

import os


os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported, which only modules in here do
