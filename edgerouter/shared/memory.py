"""The memory that all workers share, and what is in it.

The control plane makes it before the first worker, keeps it open and hands it to
every worker as an inherited descriptor. Its size is fixed; pages that are never
written to take no memory.
"""

import mmap
import os
import secrets
from functools import cache

from edgerouter.shared import buckets, circuits, in_flight, nonces
from edgerouter.shared.buckets import Buckets
from edgerouter.shared.circuits import Circuits
from edgerouter.shared.in_flight import InFlight
from edgerouter.shared.nonces import Nonces
from edgerouter.shared.table import Table, size_of

_SECRET = 16
BUCKET_SETS = 32768
"""524,288 buckets, in at most 21 MB. Of 65,536, as many as a limit of Traefik's has, none is given
up before it is full again, of three times as many fewer than one in a thousand."""
IN_FLIGHT_SETS = 16384
"""262,144 sources: while fewer than 65,536 have requests under way, each has a place."""
CIRCUIT_SETS = 64
"""1,024 circuit breakers in all; the one that was used longest ago makes room."""
NONCE_SETS = 1024
"""16,384 nonces that clients answered in the last ten minutes."""


class Shared:
    """The tables of one memory, as one worker sees them."""

    def __init__(self, descriptor: int, workers: int, worker: int = 0) -> None:
        """Open the memory behind ``descriptor``, made for as many ``workers``."""
        self.descriptor = descriptor
        memory = mmap.mmap(descriptor, _size(workers))
        secret = memory[:_SECRET]
        record = buckets.RECORD.size
        # The control plane never takes a token, so a single worker is alone.
        alone = workers == 1
        self.buckets = Buckets(
            memory,
            Table(memory, descriptor, _SECRET, BUCKET_SETS, record, secret, alone=alone),
        )
        start = _SECRET + size_of(BUCKET_SETS, record)
        record = in_flight.record_size(workers)
        self.in_flight = InFlight(
            memory,
            Table(memory, descriptor, start, IN_FLIGHT_SETS, record, secret),
            workers,
            worker,
        )
        start += size_of(IN_FLIGHT_SETS, record)
        record = circuits.RECORD_SIZE
        self.circuits = Circuits(
            memory, Table(memory, descriptor, start, CIRCUIT_SETS, record, secret)
        )
        start += size_of(CIRCUIT_SETS, record)
        record = nonces.RECORD.size
        self.nonces = Nonces(memory, Table(memory, descriptor, start, NONCE_SETS, record, secret))

    @classmethod
    def create(cls, workers: int) -> "Shared":
        """Make a new memory; its descriptor stays open and is not inherited by default.

        Raises:
            OSError: The kernel has none to give.
        """
        descriptor = os.memfd_create("edgerouter", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _size(workers))
        os.pwrite(descriptor, secrets.token_bytes(_SECRET), 0)
        return cls(descriptor, workers)


def _size(workers: int) -> int:
    flights = size_of(IN_FLIGHT_SETS, in_flight.record_size(workers))
    breakers = size_of(CIRCUIT_SETS, circuits.RECORD_SIZE)
    counts = size_of(NONCE_SETS, nonces.RECORD.size)
    return _SECRET + size_of(BUCKET_SETS, buckets.RECORD.size) + flights + breakers + counts


@cache
def private() -> Shared:
    """Return a memory of this process alone: for tests, and where options are only tried."""
    return Shared.create(1)
