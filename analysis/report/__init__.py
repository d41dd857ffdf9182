"""The report of a finished round: one page that says in words and figures what happened, and why."""
