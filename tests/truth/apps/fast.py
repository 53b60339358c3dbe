# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""fast.py PORT BACKEND LOOP: FastAPI on uvicorn, httpx as its client; LOOP is asyncio or uvloop.

Modes: one; two (one after the other); sleep; gather; none; forget (a task that outlives the answer); after
(BackgroundTasks); thread (a plain `def`, which Starlette runs on a thread of its pool)."""

import asyncio
import random
import sys
from contextlib import asynccontextmanager

import httpx
import uvicorn
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import PlainTextResponse

PORT, BACKEND = int(sys.argv[1]), int(sys.argv[2])
tasks = set()


@asynccontextmanager
async def lifespan(_):
    global client
    async with httpx.AsyncClient(timeout=20) as client:
        yield


app = FastAPI(lifespan=lifespan, default_response_class=PlainTextResponse)


async def call(mode, number, k=0):
    await client.get(f"http://127.0.0.1:{BACKEND}/b/{mode}/{number}/{k}")


async def later(mode, number):
    await asyncio.sleep(random.random() * 0.01)
    await call(mode, number)


@app.get("/thread/{number}")
def in_a_thread(number: str):
    httpx.get(f"http://127.0.0.1:{BACKEND}/b/thread/{number}/0", timeout=20)
    return number


@app.get("/{mode}/{number}")
async def handle(mode: str, number: str, background: BackgroundTasks):
    if mode in ("one", "two"):
        await call(mode, number)
    if mode == "two":
        await call(mode, number, 1)
    if mode == "sleep":
        await asyncio.sleep(random.random() * 0.02)
        await call(mode, number)
    if mode == "gather":
        await asyncio.gather(call(mode, number, 0), call(mode, number, 1))
    if mode == "forget":
        task = asyncio.create_task(later(mode, number))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if mode == "after":
        background.add_task(call, mode, number)
    return number


uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False, backlog=256,
            loop=sys.argv[3], http="httptools" if sys.argv[3] == "uvloop" else "h11")
