"""A worker that answers every connection with facts about itself; for tests of the supervisor.

``TINY_WORKER`` chooses how it misbehaves: ``crash`` ends at once, ``crash-1`` ends if it is
worker 1, ``stubborn`` ignores ``drain`` and end of file, ``mute`` answers no question.
"""

import argparse
import asyncio
import json
import os
import socket
import sys
from functools import partial
from typing import Any

from edgerouter.ipc.channel import Channel, encode
from edgerouter.worker.listening import Listening


async def main(descriptor: int) -> None:
    mood = os.environ.get("TINY_WORKER", "")
    channel = await Channel.open(socket.socket(fileno=descriptor))
    start = await channel.receive()
    if mood in ("crash", f"crash-{start['worker']}"):
        sys.exit(3)
    facts: dict[str, Any] = {
        "pid": os.getpid(),
        "start": start,
        "version": 0,
        "fenced": [],
        "frames": [],
    }

    async def serve(_: str, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(partial(answer, facts), sock=listener)

    listening = Listening(start["worker"], start["listeners"], serve)
    while (message := await channel.receive()) is not None or mood == "stubborn":
        if message is None:
            await asyncio.sleep(3600)
        facts["frames"].append(message["type"])
        match message["type"]:
            case "snapshot":
                facts["version"] = message["version"]
                applied = {"type": "applied", "version": message["version"], "errors": {}}
                await channel.send(encode(applied))
                if not listening.is_open:
                    await listening.open()
                    await channel.send(encode({"type": "ready"}))
            case "adopt":
                await listening.stand_in_for(message["workers"])
            case "ping" if mood != "mute":
                await channel.send(encode({"type": "pong"}))
            case "fence":
                facts["fenced"] = message["urls"]
            case "drain" if mood != "stubborn":
                break
    for name in start["listeners"]:
        listening.close(name)


async def answer(
    facts: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer any request with ``facts``."""
    await reader.readuntil(b"\r\n\r\n")
    body = json.dumps(facts).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int)
    asyncio.run(main(parser.parse_args().channel))
