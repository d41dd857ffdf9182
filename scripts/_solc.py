"""Download the native solc of the version given, as solcx does it; fail where that is not possible."""

import sys
import urllib.request

import solcx
from solcx.install import BINARY_DOWNLOAD_BASE, _get_os_name

TIMEOUT = 10


def main(version: str) -> None:
    """Install `version` into solcx's folder."""
    # solcx itself would wait for ever on a network that swallows packets.
    urllib.request.urlopen(BINARY_DOWNLOAD_BASE.format(_get_os_name(), "list.json"), timeout=TIMEOUT).close()
    solcx.install_solc(version)


if __name__ == "__main__":
    main(sys.argv[1])
