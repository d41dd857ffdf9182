"""A development node, spoken to directly: rounds of real transactions for tests, benchmarks and experiments.

`fl.market` is how a member of a round talks to the contract; here one process plays all members at once, on a node
that takes transactions from anybody and whose clock it sets: about 2 ms a transaction.
"""
