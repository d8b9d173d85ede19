"""Runs one function of a benchmark module and prints what it returns: `child.py module:function '{"argument": 1}'`."""

from __future__ import annotations

import importlib
import json
import sys


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    result = getattr(importlib.import_module(module), name)(**json.loads(sys.argv[2]))
    print("\n" + json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
