"""One module a contender, each run in a fresh process: `python -m analysis.training_benchmark.contenders JOB`.

`ours`, `plain` and `floor` run in the project's environment, `flower` and `pfl_research` in that of `peers`.
"""
