"""A worker that answers every connection with facts about itself; for tests of the supervisor.

``TINY_WORKER`` chooses how it misbehaves: ``crash`` ends at once, ``stubborn`` ignores
``drain`` and end of file.
"""

import argparse
import asyncio
import json
import os
import socket
import sys

from edgerouter.ipc.channel import Channel, encode


async def main(descriptor: int) -> None:
    mood = os.environ.get("TINY_WORKER", "")
    if mood == "crash":
        sys.exit(3)
    channel = await Channel.open(socket.socket(fileno=descriptor))
    start = await channel.receive()
    facts = {"pid": os.getpid(), "start": start, "version": 0, "fenced": [], "frames": []}
    servers = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(facts).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    while (message := await channel.receive()) is not None or mood == "stubborn":
        if message is None:
            await asyncio.sleep(3600)
        facts["frames"].append(message["type"])
        match message["type"]:
            case "snapshot":
                facts["version"], facts["fenced"] = message["version"], message["fenced"]
                applied = {"type": "applied", "version": message["version"], "errors": {}}
                await channel.send(encode(applied))
                if not servers:
                    for descriptors in start["listeners"].values():
                        for number in descriptors:
                            listener = socket.socket(fileno=number)
                            servers.append(await asyncio.start_server(answer, sock=listener))
                    await channel.send(encode({"type": "ready"}))
            case "fence":
                facts["fenced"] = message["urls"]
            case "drain" if mood != "stubborn":
                break


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int)
    asyncio.run(main(parser.parse_args().channel))
