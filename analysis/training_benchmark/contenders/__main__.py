"""Runs one contender: `python -m analysis.training_benchmark.contenders JOB`."""

import sys
from importlib import import_module
from pathlib import Path

from analysis.training_benchmark.contenders.job import Job

if __name__ == "__main__":
    path = Path(sys.argv[1])
    job = Job.read(path)
    import_module(f"analysis.training_benchmark.contenders.{job.module}").run(job)
