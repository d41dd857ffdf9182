"""`python -m fl.training`: trains a hierarchical model and shows how it gets on."""

import os
import signal
import sys

if __name__ == "__main__":
    # Ctrl-C while Python loads, or ends, ends the process without a word; in between the command sees to it.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

    from fl.training.command.main import main

    try:
        status = main()
    except SystemExit as end:  # of argparse: after --help, or a wrong option
        status = int(end.code or 0)
    try:
        sys.stdout.flush()
    except OSError as error:  # a full disk, or a reader that is gone; Python would end with a traceback
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if status == 0:
            sys.exit(f"error: {error.strerror}")
    sys.exit(status)
