"""Whole bodies, in memory and on disk."""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgerouter.http.body import FixedBody
from edgerouter.http.headers import Headers
from edgerouter.middleware import spool as module
from edgerouter.middleware.spool import CHUNK, Spool, SpoolClosed, SpoolFailed
from edgerouter.observability import complaints
from tests.support.open_files import open_files
from tests.unit.middleware.bodies import Pieces, content


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
    assert open_files(tmp_path) == []


@pytest.mark.parametrize("memory", [0, 4, 1000])
async def test_a_body_is_read_again_and_again(directory: Path, memory: int) -> None:
    spool = Spool(memory)
    assert await spool.fill(Pieces(b"abc", b"def", b"g"), 100)
    assert spool.size == 7
    assert spool.on_disk is (memory < 7)
    for _ in range(2):
        body = spool.body()
        assert body.length == 7
        assert await content(body) == b"abcdefg"
        assert await body.read() == b""
    assert list(directory.iterdir()) == []
    spool.close()
    spool.close()


async def test_large_contents_come_in_pieces(directory: Path) -> None:
    spool = Spool(10)
    data = os.urandom(2 * CHUNK + 5)
    assert await spool.fill(FixedBody(data), len(data))
    body = spool.body()
    assert body.ready() is None
    assert len(await body.read()) == CHUNK
    body.close()
    assert await body.read() == b""
    assert await content(spool.body()) == data
    spool.close()


async def test_a_limit_stops_it(directory: Path) -> None:
    spool = Spool(10)
    body = Pieces(b"abc", b"def", b"ghi")
    assert not await spool.fill(body, 5)
    assert await content(body) == b"ghi"
    spool.close()


async def test_trailers_are_kept(directory: Path) -> None:
    spool = Spool(10)
    trailers = Headers([(b"X-End", b"1")])
    assert await spool.fill(Pieces(b"abc", trailers=trailers), 100)
    body = spool.body()
    assert (body.length, body.trailers) == (None, trailers)
    assert await content(body) == b"abc"
    spool.close()


async def test_where_files_cannot_be_nameless(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "O_TMPFILE", os.O_DIRECTORY | os.O_CREAT, raising=False)
    spool = Spool(0)
    spool.write(b"abc")
    assert list(directory.iterdir()) == []
    assert await content(spool.body()) == b"abc"
    spool.close()


@pytest.mark.parametrize("memory", [0, 100])
async def test_a_body_that_is_given_up_does_not_seem_to_end(directory: Path, memory: int) -> None:
    spool = Spool(memory)
    spool.write(b"abc")
    body = spool.body()
    spool.close()
    with pytest.raises(SpoolClosed):
        await body.read()


async def test_where_there_is_no_place_for_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    monkeypatch.setattr(complaints, "_said", {})
    for _ in range(2):
        spool = Spool(4)
        with pytest.raises(SpoolFailed, match="No such file or directory"):
            await spool.fill(Pieces(b"abc", b"def"), 100)
        spool.close()
    (record,) = caplog.records
    assert record.message == "A temporary file cannot be written: requests fail"


async def test_an_upload_is_waited_for(directory: Path) -> None:
    spool, go = Spool(0), asyncio.Event()
    spool.write(b"abc")
    body = spool.body()

    async def upload() -> None:
        await go.wait()
        assert await content(body) == b"abc"

    task = asyncio.create_task(upload())
    spool.close_after(task)
    go.set()
    await task
    await asyncio.sleep(0)
    assert not spool.on_disk
