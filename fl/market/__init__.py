"""The market: what members of a round do on chain and hand each other off chain.

Knows no torch. `client` is the only module that talks to the contract.
"""
