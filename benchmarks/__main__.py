"""``python -m benchmarks [NAME] [--json FILE]``: without a name, the list of them."""

from __future__ import annotations

import argparse
import importlib
import json
from pathlib import Path

from benchmarks.runner import Outcome, describe_machine, list_benchmarks, print_outcome


def main() -> None:
    names = list_benchmarks()
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("name", nargs="?", choices=names)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if given.name is None:
        for name, first_line in names.items():
            print(f"{name:<14} {first_line}")
        return
    machine = describe_machine()
    print(machine)
    outcome: Outcome = importlib.import_module(f"benchmarks.{given.name}").run()
    print_outcome(outcome)
    if given.json:
        rows = [dict(zip(outcome.header, row, strict=True)) for row in outcome.rows]
        content = {
            "name": given.name,
            "machine": machine,
            "rows": rows,
            "ratios": outcome.ratios,
        }
        given.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
