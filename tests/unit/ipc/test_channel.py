import asyncio
import socket

import pytest

from edgerouter.ipc.channel import Channel, encode


async def pair() -> tuple[Channel, Channel]:
    ours, theirs = socket.socketpair()
    return await Channel.open(ours), await Channel.open(theirs)


async def send_often(channel: Channel) -> None:
    """A first write may still be taken by the kernel."""
    for _ in range(10):
        await channel.send(encode({"type": "ready"}))


async def test_messages_arrive_whole_and_in_order() -> None:
    left, right = await pair()
    messages = [{"type": "snapshot", "version": n, "text": "ü" * n * 1000} for n in range(5)]

    async def send() -> None:
        for message in messages:
            await left.send(encode(message))

    sending = asyncio.create_task(send())
    assert [await right.receive() for _ in messages] == messages
    await sending
    left.close()
    right.close()


async def test_a_frame_larger_than_every_buffer_passes() -> None:
    left, right = await pair()
    message = {"type": "snapshot", "text": "x" * 3_000_000}
    sending = asyncio.create_task(left.send(encode(message)))
    assert await right.receive() == message
    await sending
    left.close()
    right.close()


async def test_the_end_is_none() -> None:
    left, right = await pair()
    left.close()
    assert await right.receive() is None
    right.close()


async def test_an_end_inside_a_frame_is_none() -> None:
    ours, theirs = socket.socketpair()
    right = await Channel.open(theirs)
    with ours:
        ours.send(encode({"type": "snapshot"})[:-3])
    assert await right.receive() is None
    right.close()


async def test_sending_to_who_has_gone_is_an_error() -> None:
    left, right = await pair()
    right.close()
    assert await left.receive() is None
    with pytest.raises(ConnectionError):
        await send_often(left)
    left.close()


async def test_a_slow_reader_holds_the_sender_back() -> None:
    left, right = await pair()
    sending = asyncio.create_task(left.send(encode({"type": "snapshot", "text": "x" * 3_000_000})))
    done, _ = await asyncio.wait((sending,), timeout=0.05)
    assert not done
    assert await right.receive() is not None
    await sending
    left.close()
    right.close()
