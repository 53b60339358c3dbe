# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""aio_http.py PORT BACKEND: aiohttp, server and client (which keeps connections).

Modes: one; two (one after the other); sleep; gather; none; forget (a task that outlives the answer)."""

import asyncio
import random
import sys

import aiohttp
from aiohttp import web

PORT, BACKEND = int(sys.argv[1]), int(sys.argv[2])
tasks = set()


async def call(app, mode, number, k=0):
    async with app["client"].get(f"http://127.0.0.1:{BACKEND}/b/{mode}/{number}/{k}") as got:
        return await got.read()


async def later(app, mode, number):
    await asyncio.sleep(random.random() * 0.01)
    await call(app, mode, number)


async def handle(request):
    mode, number, app = request.match_info["mode"], request.match_info["number"], request.app
    if mode in ("one", "two"):
        await call(app, mode, number)
    if mode == "two":
        await call(app, mode, number, 1)
    if mode == "sleep":
        await asyncio.sleep(random.random() * 0.02)
        await call(app, mode, number)
    if mode == "gather":
        await asyncio.gather(call(app, mode, number, 0), call(app, mode, number, 1))
    if mode == "forget":
        task = asyncio.create_task(later(app, mode, number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return web.Response(text=number)


async def client(app):
    async with aiohttp.ClientSession() as app["client"]:
        yield


application = web.Application()
application.cleanup_ctx.append(client)
application.router.add_get("/{mode}/{number}", handle)
web.run_app(application, host="127.0.0.1", port=PORT, backlog=256, print=None, access_log=None)
