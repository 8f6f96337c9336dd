"""One answer to each question at a time, and answers that routers give for each other."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgerouter.acme import board as board_module
from edgerouter.acme.answers import Answer, Answers
from edgerouter.acme.board import Board
from edgerouter.acme.challenges import Challenge, HTTPSolver, TLSSolver
from edgerouter.acme.errors import Interrupted


def challenge(number: int, name: str = "a.org") -> Challenge:
    return Challenge(name, f"token{number}", f"token{number}.key", "")


def answer(token: str) -> Answer:
    return Answer("http-01", token, (f"{token}.key",))


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def answers() -> Answers:
    return Answers(lambda wait: None)


def test_a_host_is_proved_for_one_order_after_the_other(
    answers: Answers, stop: threading.Event
) -> None:
    first, second = (TLSSolver(answers) for _ in range(2))
    one, other = challenge(1), challenge(2)
    first.present([one, challenge(3, "b.org")], stop)
    shown = answers.acme_tls["a.org"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.present, [other], stop)
        second.clean_up([other])
        assert answers.acme_tls["a.org"] == shown, "nobody takes away what is not his"
        assert not waiting.done()
        first.clean_up([one])
        waiting.result()
    assert answers.acme_tls["a.org"] != shown
    assert "b.org" in answers.acme_tls
    second.clean_up([other])
    first.clean_up([challenge(3, "b.org")])
    assert answers.acme_tls == {}


def test_who_waits_for_a_host_ends_with_the_router(answers: Answers, stop: threading.Event) -> None:
    solver = TLSSolver(answers)
    solver.present([challenge(1)], stop)
    stop.set()
    with pytest.raises(Interrupted):
        solver.present([challenge(2)], stop)


def test_tokens_of_several_orders_stand_side_by_side(
    answers: Answers, stop: threading.Event
) -> None:
    solver = HTTPSolver(answers)
    for number in (1, 2):
        solver.present([challenge(number)], stop)
    assert answers.http01 == {"token1": "token1.key", "token2": "token2.key"}
    answers.follow([answer("theirs")])
    solver.clean_up([challenge(1)])
    assert answers.http01 == {"theirs": "theirs.key", "token2": "token2.key"}


def test_others_give_what_is_posted_before_the_ca_is_told(
    tmp_path: Path, stop: threading.Event
) -> None:
    mine, theirs = Board(tmp_path), Board(tmp_path)
    mine.confirm([])
    theirs.confirm([])
    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(mine.post, [answer("t")], stop)
        while not (found := theirs.others()):
            assert not posting.done()
        assert list(found.values()) == [answer("t")]
        assert not posting.done()
        theirs.confirm(found)
        posting.result()
    assert mine.others() == {}, "its own are none of others"
    mine.take_down([answer("t")])
    assert theirs.others() == {}
    theirs.leave()
    mine.post([answer("u")], stop)


def test_a_router_that_does_not_confirm_holds_nobody_up_for_long(
    tmp_path: Path,
    stop: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(board_module, "PATIENCE", 0.1)
    mine, theirs = Board(tmp_path), Board(tmp_path)
    theirs.confirm([])
    mine.post([answer("t")], stop)
    assert "have not confirmed" in caplog.text


def test_a_host_is_proved_by_one_router_after_the_other(
    tmp_path: Path, stop: threading.Event
) -> None:
    first, second = (TLSSolver(Answers(lambda wait: None), board=Board(tmp_path)) for _ in range(2))
    first.present([challenge(1)], stop)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(second.present, [challenge(2)], stop)
        assert not waiting.done()
        first.clean_up([challenge(1)])
        waiting.result()
    assert second.board is not None
    second.clean_up([challenge(2)])


def test_what_a_dead_router_has_left_counts_no_more(tmp_path: Path, stop: threading.Event) -> None:
    program = """
import sys, threading
from pathlib import Path
from edgerouter.acme.answers import Answer
from edgerouter.acme.board import Board
board = Board(Path(sys.argv[1]))
board.confirm([])
board.post([Answer("http-01", "t", ("t.key",))], threading.Event())
print("posted", flush=True)
sys.stdin.read()
"""
    board = Board(tmp_path)
    command = [sys.executable, "-c", program, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as router:
        assert router.stdout is not None
        assert router.stdout.readline() == b"posted\n"
        assert list(board.others().values()) == [answer("t")]
        router.kill()
        router.wait()
    assert board.others() == {}
    board.post([answer("u")], stop)
    board.take_down([answer("u")])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_an_answer_that_is_not_written_to_the_end_is_none_yet(tmp_path: Path) -> None:
    mine, theirs = Board(tmp_path), Board(tmp_path)
    mine.post([answer("t")], threading.Event())
    (file,) = (tmp_path / "answers").iterdir()
    whole = file.read_text()
    file.write_text(whole[:20])
    assert theirs.others() == {}
    file.write_text(whole)
    assert list(theirs.others().values()) == [answer("t")]
