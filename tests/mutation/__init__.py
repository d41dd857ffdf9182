"""The mutation check: single changes to the contracts, each of which the tests must notice.

`python -m tests.mutation` makes them in copies of the checkout, one at a time, and writes `results.md` and
`results.json`. The changes are the `mutants/*.toml`.
"""
