# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""aio.py PORT BACKEND: asyncio alone, HTTP by hand on its streams.

Modes: one; sleep (then one call); gather (two at once); keep (on a connection taken from a pool); none; forget (a task
that outlives the answer); queue (worker tasks made at the start); ping (the first one starts a task that calls for it).
Under /b/chain/ it passes on what was asked."""

import asyncio
import random
import sys
import time

PORT, BACKEND = int(sys.argv[1]), int(sys.argv[2])
tasks, idle = set(), []
last_s = 0


async def ask(reader, writer, path):
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{BACKEND}\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    return await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))


async def call(mode, number, k=0):
    await call_path(f"/b/{mode}/{number}/{k}")


async def call_path(path):
    reader, writer = await asyncio.open_connection("127.0.0.1", BACKEND)
    await ask(reader, writer, path)
    writer.close()


async def call_kept(mode, number):
    connection = idle.pop() if idle else await asyncio.open_connection("127.0.0.1", BACKEND)
    await ask(*connection, f"/b/{mode}/{number}/0")
    idle.append(connection)


async def later(mode, number):
    await asyncio.sleep(random.random() * 0.01)
    await call(mode, number)


async def ping(number):
    k = 0
    while time.monotonic() - last_s < 0.3:
        await call("ping", number, k)
        await asyncio.sleep(0.003)
        k += 1


def start(coroutine):
    task = asyncio.create_task(coroutine)
    tasks.add(task)
    task.add_done_callback(tasks.discard)


async def worker():
    while True:
        mode, number, done = await work.get()
        await call(mode, number)
        done.set_result(None)


async def handle(mode, number):
    global last_s, pinging
    last_s = time.monotonic()
    if mode == "one":
        await call(mode, number)
    elif mode == "keep":
        await call_kept(mode, number)
    elif mode == "sleep":
        await asyncio.sleep(random.random() * 0.02)
        await call(mode, number)
    elif mode == "gather":
        await asyncio.gather(call(mode, number, 0), call(mode, number, 1))
    elif mode == "forget":
        start(later(mode, number))
    elif mode == "queue":
        done = asyncio.get_running_loop().create_future()
        await work.put((mode, number, done))
        await done
    elif mode == "ping" and not pinging:
        pinging = True
        start(ping(number))


async def serve(reader, writer):
    # Up to Python 3.11 nothing else holds a connection's task: it may be collected while it waits.
    tasks.add(task := asyncio.current_task())
    task.add_done_callback(tasks.discard)
    try:
        while head := (await reader.readuntil(b"\r\n\r\n")).decode():
            path = head.split()[1]
            _, mode, number, *more = path.split("/")
            if (mode, number) == ("b", "chain"):
                number = more[0]
                await call_path(path + ".0")
            else:
                await handle(mode, number)
            writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(number)}\r\n\r\n{number}".encode())
            await writer.drain()
            if "Connection: close" in head:
                break
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    writer.close()


async def main():
    global work, pinging
    work, pinging = asyncio.Queue(), False
    for _ in range(4):
        start(worker())
    server = await asyncio.start_server(serve, "127.0.0.1", PORT, backlog=256)
    await server.serve_forever()


asyncio.run(main())
