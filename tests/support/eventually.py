"""Waiting for another process: ask until the answer is right or the time is over."""

import http.client
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer; status 0 means that nobody answered."""

    status: int
    headers: dict[str, str]
    text: str


def ask(
    port: int,
    path: str = "/",
    *,
    host: str = "localhost",
    address: str = "127.0.0.1",
    headers: Mapping[str, str] | None = None,
    timeout: float = 5,
) -> Answer:
    """Send one GET request on a new connection."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.request("GET", path, headers={"Host": host, **(headers or {})})
        response = connection.getresponse()
        text = response.read().decode("utf-8", "replace")
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, text)
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, {}, f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def eventually(
    question: Callable[[], T], wanted: Callable[[T], object], *, within: float = 15
) -> T:
    """Return the first answer that is as wanted.

    Raises:
        AssertionError: It did not come within that many seconds; shows the last answer.
    """
    deadline = time.monotonic() + within
    while True:
        answer = question()
        if wanted(answer):
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within} s; the last answer was {answer}")
        time.sleep(0.02)
