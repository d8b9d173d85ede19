"""Training scripts, run as a user runs them or in this process, on tiny models."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path


ROOT = Path(__file__).resolve().parents[2]
TINY = ("kmer_size=3", "hidden_size=32", "num_hidden_layers=2", "num_attention_heads=2", "intermediate_size=64")
TIMES = {"tokens_per_second", "memory_mb"}


def load(name):
    """Give the module of a script."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "training" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(name, *arguments):
    """Run a script in this process."""
    from accelerate.state import AcceleratorState, PartialState

    AcceleratorState._reset_state(True)
    PartialState._reset_state()
    load(name).main([str(argument) for argument in arguments])


def start(name, *arguments, processes=1):
    """Start a script in processes of its own; the tests' Hub and caches are theirs, too."""
    launcher = [] if processes == 1 else ["-m", "torch.distributed.run", "--nproc_per_node", str(processes)]
    launcher += [] if processes == 1 else ["--master_port", "0", "--standalone"]
    command = [sys.executable, *launcher, str(ROOT / "training" / f"{name}.py"), *map(str, arguments)]
    given = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def log_of(folder):
    """Give the lines of a run's log, without what differs from run to run."""
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in TIMES} for line in lines]


def weights_of(folder):
    """Give the weights of a finished model."""
    from safetensors.torch import load_file

    return load_file(folder / "model.safetensors")
