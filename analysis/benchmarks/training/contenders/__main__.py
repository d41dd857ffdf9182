"""Runs one contender: `python -m analysis.benchmarks.training.contenders JOB`."""

import os
import sys
import threading
import time
from importlib import import_module
from pathlib import Path

from analysis.benchmarks.training.contenders.job import Job
from analysis.benchmarks.training.processes import one_core_busy


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    # Else one whose comparison was killed would go on and slow whatever is measured next.
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    job = Job.read(Path(sys.argv[1]))
    # From here it is in the contender's session: Linux shares cores between sessions before it does within one, so
    # that the cores of a contender beside another session would be fewer the fewer threads that one has.
    with one_core_busy(job.busy):
        import_module(f"analysis.benchmarks.training.contenders.{job.module}").run(job)
