"""``python -m edgerouter.worker --channel FD``: started by the control plane only."""

import asyncio
import signal
import sys

import uvloop

from edgerouter.worker.main import serve


def main() -> None:
    """Serve until the control plane says to stop."""
    # To stop is the control plane's affair: it says so over the channel. A worker that drained by
    # itself would leave its share of new connections waiting.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    descriptor = int(sys.argv[sys.argv.index("--channel") + 1])
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(descriptor))


if __name__ == "__main__":
    main()
