# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The cases: what is started, which modes its clients ask for, and how many of its calls must get their parent.

A wrong parent fails any case. `minimum` None: how many are found is reported, not demanded."""

import dataclasses
import typing

from . import proxies, start


@dataclasses.dataclass(frozen=True)
class Mode:
    calls: object = 1       # how many calls its handler makes, or their names (paths.outbound)
    counted: bool = True    # for recall; not where the cause is not to be seen, as after the answer


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    start: typing.Callable
    modes: dict
    minimum: float = None   # of recall
    one_trace: float = None     # of requests whose spans are all there and of one trace
    requests: int = 1000
    quick: int = 300        # requests of a run among the other tests; more where something has to be learnt first
    seconds: int = 120      # the load may take
    delay_us: tuple = (1000, 20000)     # of the backend's answer
    backend_closes: bool = False
    calls_itself: bool = False
    repeats: bool = False
    header: str = None
    pipeline: int = 1       # requests at once
    leave: bool = False     # clients leave before they have the answer


def without(case, *modes):
    """The case, of which these modes are not asked for."""
    return dataclasses.replace(case, modes={mode: more for mode, more in case.modes.items() if mode not in modes})


NONE, ONE, TWO = Mode(0), Mode(1), Mode(2)
LATER = Mode(1, counted=False)
PING = Mode(0)

BLOCKING = {"one": ONE, "two": TWO, "none": NONE, "keep": ONE}
ASYNC = {"one": ONE, "sleep": ONE, "gather": TWO, "none": NONE, "forget": LATER}
NODE = {"one": ONE, "get": ONE, "two": TWO, "all": Mode(3), "nested": TWO, "timer": LATER, "immediate": LATER, "file": ONE,
        "bare": LATER, "none": NONE}
GO = {"one": ONE, "two": TWO, "fan": Mode(3), "deep": ONE, "none": NONE, "worker": LATER}
SAME_ID = {"one": LATER, "read": LATER, "left": Mode(0)}
PHP = {"one": ONE, "file": ONE, "two": TWO, "multi": TWO, "none": NONE}
TOKIO = {"one": ONE, "two": TWO, "sleep": ONE, "join": TWO, "spawn": TWO, "keep": ONE, "none": NONE, "worker": LATER}
POOLS = {"future": ONE, "fan": TWO, "two": TWO, "worker": ONE, "same": ONE, "none": NONE, "idle": NONE}
# Their calls wake nobody, or somebody else, when they end.
ODD = {"future": ONE, "after": LATER, "idle": NONE, "latch": TWO, "bare": ONE, "turns": LATER, "fan": TWO}
ODD_JAVA = {"permit": Mode(2, counted=False), "ping": PING}
EVENTS = {"one": LATER, "keep": LATER, "two": Mode(2, counted=False), "later": LATER, "none": NONE, "held": NONE}
PROXY = {"one": ONE, "parts": ONE}


def depths(count):
    """The names of a chain's calls: each service makes one."""
    return tuple(".".join("0" * n) for n in range(1, count + 1))


# Three calls at once, two for each of these, one for each of those.
TREE = tuple(name for k in range(3) for name in (
    f"{k}", *(name for j in range(2) for name in (f"{k}.{j}", f"{k}.{j}.0"))))

CASES = [
    Case("c_threads", start.c("blocking.c", "thread"), BLOCKING, 0.99),
    Case("c_fork", start.c("blocking.c", "fork"), BLOCKING, 0.99),
    Case("c_close", start.c("blocking.c", "thread"), BLOCKING, 0.99, backend_closes=True, repeats=True),
    Case("c_pooled", start.c("pooled.c"), {"one": ONE, "two": TWO, "none": NONE}, 0.99),
    Case("python_threads", start.python("threads.py"), BLOCKING, 0.99),
    Case("python_pool", start.python("pool.py"), {"one": ONE, "two": TWO, "same": ONE, "none": NONE}, 0.95),
    Case("gunicorn_sync", start.gunicorn("sync", "-w", "4"), BLOCKING, 0.99, requests=500),
    Case("gunicorn_gthread", start.gunicorn("gthread", "-w", "2", "--threads", "8"), BLOCKING, 0.99),
    # Attached during load, the first answer on each kept connection tells nothing: two dozen of them.
    Case("asyncio", start.python("aio.py"), ASYNC | {"keep": ONE, "queue": LATER}, 0.98, quick=1000),
    Case("aiohttp", start.python("aio_http.py"), ASYNC | {"two": TWO}, 0.98, quick=1000),
    Case("fastapi", start.python("fast.py", "asyncio"), ASYNC | {"two": TWO, "after": LATER, "thread": LATER}, 0.98),
    Case("fastapi_uvloop", start.python("fast.py", "uvloop"), ASYNC | {"two": TWO, "after": LATER, "thread": LATER}),
    Case("gunicorn_gevent", start.gunicorn("gevent", "-w", "1"), BLOCKING | {"sleep": ONE}),
    Case("node", start.node("node.js"), NODE, 0.95),
    Case("go", start.go("-plain"), GO, 0.99),
    Case("go_stripped", start.go(), GO, 0.99),
    Case("go_pie", start.go("-pie"), GO, 0.99),
    Case("nginx_keep", proxies.nginx(keep=8), PROXY, 0.99),
    Case("nginx_fresh", proxies.nginx(keep=0), PROXY, 0.99),
    Case("nginx_workers", proxies.nginx(keep=8, workers=2), PROXY, 0.99),
    Case("nginx_delay", proxies.nginx(keep=8, limit=True), PROXY, 0.99),
    Case("nginx_held", proxies.nginx(keep=8, limit=True), PROXY | {"local": NONE}, 0.99),
    Case("rust", start.rust("blocking.rs"), BLOCKING | {"scope": Mode(2, counted=False)}, 0.99),
    Case("tokio", start.tokio(), TOKIO),
    Case("tokio_current", start.tokio("current"), TOKIO),
    Case("php_fpm", proxies.php_fpm(), PHP, 0.99),
    Case("php_fpm_tcp", proxies.php_fpm(tcp=True), PHP, 0.99, 0.99),
    Case("php_fpm_kept", proxies.php_fpm(tcp=True, keep=4), PHP, 0.99, 0.99),
    Case("php_builtin", start.php_builtin, PHP, 0.99, requests=300),
    # A handful of calls stay unknown, in a short run as many as in a long one.
    Case("puma", start.puma(8), BLOCKING | {"thread": Mode(2, counted=False)}, 0.99, quick=1000),
    Case("spring", start.spring, {"one": ONE, "two": TWO, "none": NONE}, 0.99),
    # Some of its requests are answered by other threads: what the others leave is less sure then.
    Case("spring_async", start.spring, {"one": ONE, "two": TWO, "none": NONE, "future": LATER, "later": LATER}),
    Case("java_pools", start.java("Pools.java"), POOLS | {"chain": TWO, "client": ONE, "async": ONE}),
    Case("cpp_pools", start.cpp("pools.cpp"), POOLS | {"lock": ONE, "reply": NONE}),
    # Workers enough for all clients: the queue is empty now and then.
    Case("java_pools_wide", start.java("Pools.java", 32),
         POOLS | {"chain": TWO, "client": ONE, "async": ONE, "latch": TWO}, 0.1),
    Case("cpp_pools_wide", start.cpp("pools.cpp", 32), POOLS | {"lock": ONE, "reply": NONE, "latch": TWO}, 0.3),
    Case("haproxy_keep", proxies.haproxy(), PROXY | {"local": NONE}),
    Case("haproxy_fresh", proxies.haproxy("never"), PROXY),
    Case("haproxy_queue", proxies.haproxy(maxconn=3), PROXY, requests=500),
    Case("haproxy_threads", proxies.haproxy(threads=4), PROXY),
    Case("envoy_keep", proxies.envoy(threads=2), PROXY),
    Case("envoy_fresh", proxies.envoy(requests=1), PROXY),
    Case("envoy_queue", proxies.envoy(connections=3), PROXY, requests=500),
    Case("chain", start.chain(start.go(), start.c("blocking.c", "thread"), start.python("threads.py"), start.node("node.js"),
                              start.rust("blocking.rs"), start.go("-plain"), start.python("threads.py"), start.c("blocking.c", "fork")),
         {"chain": Mode(depths(8))}, 0.99, 0.99, quick=1000),
    # Of services that know whose a call is when they send it (--propagate).
    Case("chain_sure", start.chain(start.go(), start.c("blocking.c", "thread"), start.python("threads.py"), start.rust("blocking.rs"),
                                   start.go("-plain"), start.c("blocking.c", "fork")),
         {"chain": Mode(depths(6))}, 0.99, 0.99, quick=1000),
    # Node's calls that are awaited together have no parent until 32 others were sure: a dozen of these requests.
    Case("tree", start.chain(start.go(), start.node("node.js"), start.python("threads.py")), {"tree": Mode(TREE)}, 0.99,
         0.99, requests=1500, quick=1500),
    # Adversaries: nothing but that no parent is wrong.
    Case("c_after", start.c("blocking.c", "thread"), {"after": LATER, "one": LATER}),
    Case("c_itself", start.c("blocking.c", "thread"), BLOCKING, calls_itself=True),
    Case("c_pipelined", start.c("blocking.c", "thread"), BLOCKING, pipeline=4),
    Case("c_pairs", start.c("pairs.c"), {"one": LATER}),
    Case("c_select", start.c("timers.c", "select"), {"one": LATER}, delay_us=(100, 1000)),
    Case("c_epoll", start.c("timers.c", "epoll"), {"one": LATER}, delay_us=(100, 1000)),
    Case("c_loop", start.c("loop.c"), EVENTS),
    Case("c_loop_join", start.c("loop.c"), {"join": Mode(0), "one": LATER}),
    Case("c_forked_calls", start.c("forks.c"), {"wait": LATER, "leave": LATER, "answer": LATER, "same": LATER}),
    Case("c_handover", start.c("handover.c", "accept"), {"one": LATER}),
    Case("c_handover_read", start.c("handover.c", "read"), {"one": LATER}),
    Case("c_same_pid", start.c("sametid.c", "process"), SAME_ID, delay_us=(100, 2000)),
    Case("c_same_tid", start.c("sametid.c", "thread"), SAME_ID, delay_us=(100, 2000)),
    Case("python_after", start.python("threads.py"), {"after": LATER, "one": LATER}),
    Case("python_ping", start.python("threads.py"), {"ping": PING, "one": LATER, "none": NONE}),
    Case("python_itself", start.python("threads.py"), BLOCKING, calls_itself=True),
    Case("python_pipelined", start.python("threads.py"), BLOCKING, pipeline=4),
    Case("pool_after", start.python("pool.py"), {"after": LATER, "one": LATER}),
    Case("gunicorn_after", start.gunicorn("gthread", "-w", "1", "--threads", "8"), {"after": LATER, "one": LATER}),
    Case("asyncio_ping", start.python("aio.py"), {"ping": PING, "one": LATER, "none": NONE, "sleep": LATER}),
    Case("asyncio_pipelined", start.python("aio.py"), ASYNC, pipeline=4),
    Case("node_queued", start.node("node.js"), {"queued": Mode(2, counted=False), "one": LATER}),
    Case("node_after", start.node("node.js"), {"after": LATER, "later": LATER, "one": LATER}),
    Case("node_ping", start.node("node.js"), {"ping": PING, "get": LATER, "none": NONE, "timer": LATER}),
    Case("node_pipelined", start.node("node.js"), NODE, pipeline=4),
    Case("node_itself", start.node("node.js"), NODE, calls_itself=True),
    Case("go_after", start.go(), {"after": LATER, "one": LATER}),
    Case("go_ping", start.go(), {"ping": PING, "one": LATER, "none": NONE}),
    Case("go_drop", start.go(), {"drop": ONE, "one": ONE}, repeats=True),
    Case("go_itself", start.go(), GO, calls_itself=True),
    Case("go_pipelined", start.go(), GO, pipeline=4),
    Case("rust_after", start.rust("blocking.rs"), {"after": LATER, "one": LATER}),
    Case("php_after", proxies.php_fpm(), {"after": LATER, "one": LATER}),
    Case("puma_after", start.puma(8), {"after": LATER, "one": LATER}),
    Case("java_pools_odd", start.java("Pools.java"), ODD | ODD_JAVA),
    Case("java_pools_odd_wide", start.java("Pools.java", 32), ODD | ODD_JAVA),
    Case("cpp_pools_odd", start.cpp("pools.cpp"), ODD | {"reply": NONE}),
    Case("cpp_pools_odd_wide", start.cpp("pools.cpp", 32), ODD | {"reply": NONE}),
    Case("spring_after", start.spring, {"after": LATER, "one": LATER}),
    Case("tokio_after", start.tokio(), {"after": LATER, "one": LATER}),
    Case("java_ping", start.java("Pools.java"), {"ping": PING, "same": LATER, "none": NONE}),
    Case("java_after", start.java("Pools.java"), {"after": LATER, "same": LATER, "future": LATER}),
    Case("cpp_after", start.cpp("pools.cpp"), {"after": LATER, "same": LATER, "future": LATER}),
    Case("nginx_retry", proxies.nginx(keep=0, tries=12), PROXY | {"retry": ONE}, repeats=True),
    Case("nginx_drop", proxies.nginx(keep=8, tries=12), PROXY | {"drop": ONE}, repeats=True),
    Case("nginx_cache", proxies.nginx(keep=8), {"cached": Mode(0)}),
    Case("nginx_sub", proxies.nginx(keep=8), {"sub": Mode(3), "one": ONE}),
    Case("c_left", start.c("blocking.c", "thread"), BLOCKING, leave=True),
    Case("python_left", start.python("threads.py"), BLOCKING, leave=True),
    Case("asyncio_left", start.python("aio.py"), ASYNC, leave=True),
    Case("node_left", start.node("node.js"), NODE, leave=True),
    Case("go_left", start.go(), GO, leave=True),
    Case("nginx_left", proxies.nginx(keep=8), PROXY, leave=True),
    *(Case(f"header_{kind}", start.c("blocking.c", "thread"), BLOCKING, header=kind) for kind in ("unique", "same", "broken")),
]

BY_NAME = {case.name: case for case in CASES}
