"""Opens many hostile files in one process, isolated as the worker is; says how each ended.

By the same calls as an audit: what a file is told to be, and that nothing of it runs, does not
need a process of its own. That the command passes it on is tried with a file of each guard.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def judge(path: Path, images: Path, sha256: str | None) -> tuple[int, str]:
    """Exit code and message of an audit that ends with opening the subject."""
    from reportgen.config import load_config
    from reportgen.errors import ReportgenError
    from reportgen.text import printable
    from reportgen.worker import jobs
    from reportgen.worker.process import InlineExecutor

    executor = InlineExecutor()
    try:
        config = load_config(path, {"images": images, "sha256": sha256})
        for job in (jobs.screen_job, jobs.load_job, jobs.open_job):
            executor.submit(job, config).result()
    except ReportgenError as error:
        return int(error.exit_code), f"Error: {printable(str(error), 2000)}\n"
    finally:
        jobs.close_subject()
    return 0, ""


def main() -> None:
    """Read what to open from the first file, write what came of it into the second."""
    from reportgen.memory import default_memory_limit
    from reportgen.worker.isolation import isolate

    isolate(default_memory_limit())
    found: dict[str, Any] = {}
    for job in json.loads(Path(sys.argv[1]).read_text()):
        canary = Path(job["canary"])
        code, said = judge(Path(job["path"]), Path(job["images"]), job["sha256"])
        found[job["name"]] = {"code": code, "said": said, "canary": canary.exists()}
        canary.unlink(missing_ok=True)
    Path(sys.argv[2]).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
