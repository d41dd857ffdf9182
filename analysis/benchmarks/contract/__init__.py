"""What the contract costs and how much of it fits a chain, measured by real transactions on a node.

Every figure is a receipt's `gas_used`, or a count of receipts in the blocks of a node. Nothing is estimated.
"""
