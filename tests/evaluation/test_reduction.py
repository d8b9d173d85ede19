"""Reducing embeddings leaves the process as it was."""

from __future__ import annotations

import os
import subprocess
import sys


PROGRAM = """
import numpy as np, torch
from bioscan5m_hf.evaluation.reduction import Reduction

embeddings = np.random.default_rng(0).random((40, 5), np.float32)
Reduction(dimensions=2, neighbours=5).reduce(embeddings)
print(torch.get_num_threads())
"""


def test_umap_leaves_torchs_threads_as_they_were():
    given = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", PROGRAM], env=given, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
