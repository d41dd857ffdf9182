"""Where the tools of this checkout keep their data: inside it.

`_setup.sh` copies this file into the virtual environment, where every Python start imports it. For their
folders ape, solcx and matplotlib know no configuration key, only an environment variable with a default under
the home directory; one that the user has set wins.
"""

import os
import sys
from pathlib import Path

_ROOT = Path(sys.prefix).resolve().parent

for _variable, _folder in {
    "APE_DATA_FOLDER": ".ape",  # not in .cache: key files of ape's accounts live here
    "SOLCX_BINARY_PATH": ".cache/solcx",
    "MPLCONFIGDIR": ".cache/matplotlib",
    "TORCH_HOME": ".cache/torch",
    "IPYTHONDIR": ".cache/ipython",
}.items():
    os.environ.setdefault(_variable, str(_ROOT / _folder))
