"""`ape run base_station`: a base station, left running."""

from fl.commands.left_running import left_running

cli = left_running(
    "BASE_STATION",
    """Take a base station through ROUNDS, one after the other, to a statement of them.

    It joins, bids, reveals, trains the selected model on its own data, records its updates and settles, each
    in its time, and can be ended and started again at any moment: what it has decided is in its journal.
    """,
)
