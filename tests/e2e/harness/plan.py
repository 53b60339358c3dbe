# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Plans: lists of requests in which every path is unique, so that a span is matched to the request it is of.

The unique part is a number, so every span's name must be a route's: `GET /items/{id}`."""

import collections
import itertools

Request = collections.namedtuple("Request", "method path status body_sz headers close")

MIX = (
    ("GET", "items", 200, 0), ("GET", "items", 200, 0), ("HEAD", "items", 200, 0), ("GET", "missing", 404, 0),
    ("POST", "echo", 200, 0), ("GET", "chunked", 200, 0), ("POST", "echo", 200, 1), ("GET", "empty", 204, 0),
    ("POST", "echo", 200, 4096), ("GET", "same", 304, 0), ("GET", "big", 200, 0), ("GET", "fail", 500, 0),
    ("POST", "echo", 200, 65536), ("GET", "items", 200, 0), ("POST", "echo", 200, 1 << 20),
    ("GET", "items", 200, 0), ("POST", "echo", 200, 2 << 20),
)

# Whatever the page is now, the client has it already (RFC 9110, 13.1.2); the other servers answer 304 anyway.
HEADERS = {"same": {"If-None-Match": "*"}}

_runs = itertools.count(1)


def mixed(count, lacks=()):
    """`count` requests of every kind that the server has, each ninth on a connection that it closes."""
    run = next(_runs)
    kinds = itertools.cycle(kind for kind in MIX if kind[1] not in lacks)
    return [Request(method, f"/{route}/{run * 10000 + i}", status, body_sz, HEADERS.get(route, {}), i % 9 == 8)
            for i, (method, route, status, body_sz) in zip(range(count), kinds)]


def same(count, method="GET", route="items", status=200, body_sz=0):
    """`count` requests of one kind on kept connections."""
    run = next(_runs)
    return [Request(method, f"/{route}/{run * 10000 + i}", status, body_sz, HEADERS.get(route, {}), False) for i in range(count)]
