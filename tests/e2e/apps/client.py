# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The requests library: makes the requests of the plan on standard input, prints one result a line."""

import hashlib
import json
import sys
import time

import requests


def make(session, base, r):
    headers = dict(r["headers"])
    if r["close"]:
        headers["Connection"] = "close"
    body = b"b" * r["body_sz"] if r["method"] == "POST" else None
    started = time.monotonic()
    result = {"path": r["path"]}
    try:
        res = session.request(r["method"], base + r["path"], data=body, headers=headers, timeout=20,
                              allow_redirects=False)
        result |= {"status": res.status_code, "body_sz": len(res.content),
                   "sha256": hashlib.sha256(res.content).hexdigest()}
    except requests.RequestException as error:
        result["error"] = str(error)
    return result | {"seconds": time.monotonic() - started}


def main():
    plan = json.load(sys.stdin)
    with requests.Session() as session:
        for r in plan["requests"]:
            print(json.dumps(make(session, plan["base"], r)), flush=True)


main()
