"""`ape run owner`: a model owner, left running."""

from fl.commands.left_running import left_running

cli = left_running(
    "OWNER",
    """Take an owner through ROUNDS, one after the other, to a statement of them.

    It joins, proposes, bids, reveals, leads the training if its model is selected or else judges the winner's and
    votes, and settles, each in its time. It can be ended and started again at any moment: what it has decided is in its
    journal.
    """,
)
