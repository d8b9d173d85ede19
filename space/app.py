"""A Space on the Hub: the page of specimens. Fill in the ids here, or as variables of the Space."""

import os

from bioscan5m_hf.browse.collection import open_collection
from bioscan5m_hf.browse.server import serve


DATASET = os.environ.get("BIOSCAN5M_DATASET", "ORG/bioscan-5m")
"""Dataset repository, or folder."""

MODEL = os.environ.get("BIOSCAN5M_MODEL", "")
"""Model repository: of the index, or without one a fine-tuned model; none: barcodes are only checked."""

INDEX = os.environ.get("BIOSCAN5M_INDEX", "")
"""Dataset repository, or folder, that holds what `bioscan5m index` wrote; none: no neighbours."""

HOST = os.environ.get("GRADIO_SERVER_NAME", "0.0.0.0")  # a Space is reached from outside of its container
PORT = int(os.environ.get("GRADIO_SERVER_PORT", "7860"))


if __name__ == "__main__":
    serve(open_collection(DATASET, index=INDEX or None, model=MODEL or None), HOST, PORT)
