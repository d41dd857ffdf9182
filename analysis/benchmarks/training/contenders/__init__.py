"""One module per contender, each run in a fresh process: `python -m analysis.benchmarks.training.contenders JOB`.

`ours`, `plain` and `floor` run in the project's environment, `flower` and `pfl_research` in that of `peers`.
"""
