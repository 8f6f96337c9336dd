"""Nonce counts that all workers share."""

import os

from edgerouter.shared.memory import NONCE_SETS, Shared
from edgerouter.shared.table import WAYS


def test_a_count_is_taken_once() -> None:
    nonces = Shared.create(1).nonces
    assert nonces.use(b"a", 1.0, 1) == "new"
    assert nonces.use(b"a", 1.0, 1) == "used"
    assert nonces.use(b"a", 1.0, 3) == "new"
    assert nonces.use(b"a", 1.0, 2) == "used"
    assert nonces.use(b"b", 1.0, 2) == "new"
    assert nonces.use(b"c", 1.0, 0) == "used"


def test_other_processes_see_it() -> None:
    shared = Shared.create(2)
    child = os.fork()
    if child == 0:  # A worker.
        verdict = Shared(shared.descriptor, 2, 1).nonces.use(b"a", 1.0, 5)
        os._exit(0 if verdict == "new" else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert shared.nonces.use(b"a", 1.0, 5) == "used"
    assert shared.nonces.use(b"a", 1.0, 6) == "new"


def test_what_was_forgotten_is_never_taken_again() -> None:
    nonces = Shared.create(1).nonces
    total = NONCE_SETS * WAYS * 2
    made = {b"%d" % number: 1.0 + number for number in range(total)}
    taken = {nonce for nonce, moment in made.items() if nonces.use(nonce, moment, 1) == "new"}
    assert len(taken) == total  # Each was newer than all before.
    verdicts = [nonces.use(nonce, made[nonce], 1) for nonce in (*made, *reversed(made))]
    assert "new" not in verdicts
    assert "forgotten" in verdicts
    assert nonces.use(b"fresh", 2.0 + total, 1) == "new"
