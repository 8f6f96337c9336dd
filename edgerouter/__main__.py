"""``python -m edgerouter`` and the ``edgerouter`` program: hands over to the command line."""

import os
import sys

from edgerouter.cli import main as command_line
from edgerouter.collector import relax_collector


def main() -> None:
    """Run a command and exit with its status."""
    relax_collector()
    sys.exit(command_line(sys.argv[1:], os.environ))


if __name__ == "__main__":
    main()
