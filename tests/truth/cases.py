# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The cases: what is started, which modes its clients ask for, and how many of its calls must get their parent.

A wrong parent fails any case. `minimum` None: how many are found is reported, not demanded."""

import dataclasses
import typing

from . import start


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
    seconds: int = 120      # the load may take
    delay_us: tuple = (1000, 20000)     # of the backend's answer
    backend_closes: bool = False
    calls_itself: bool = False
    repeats: bool = False
    header: str = None
    pipeline: int = 1


NONE, ONE, TWO = Mode(0), Mode(1), Mode(2)
LATER = Mode(1, counted=False)
PING = Mode(0)

BLOCKING = {"one": ONE, "two": TWO, "none": NONE, "keep": ONE}

CASES = [
    Case("c_threads", start.c("blocking.c", "thread"), BLOCKING, 0.99),
    Case("c_fork", start.c("blocking.c", "fork"), BLOCKING, 0.99),
    Case("c_close", start.c("blocking.c", "thread"), BLOCKING, 0.99, backend_closes=True, repeats=True),
    Case("python_threads", start.python("threads.py"), BLOCKING, 0.99),
    # Adversaries: nothing but that no parent is wrong.
    Case("c_after", start.c("blocking.c", "thread"), {"after": LATER, "one": LATER}),
    Case("c_itself", start.c("blocking.c", "thread"), BLOCKING, calls_itself=True),
    Case("c_pipelined", start.c("blocking.c", "thread"), BLOCKING, pipeline=4),
    Case("python_after", start.python("threads.py"), {"after": LATER, "one": LATER}),
    Case("python_ping", start.python("threads.py"), {"ping": PING, "one": LATER, "none": NONE}),
    Case("python_itself", start.python("threads.py"), BLOCKING, calls_itself=True),
    Case("python_pipelined", start.python("threads.py"), BLOCKING, pipeline=4),
    *(Case(f"header_{kind}", start.c("blocking.c", "thread"), BLOCKING, header=kind) for kind in ("unique", "same", "broken")),
]

BY_NAME = {case.name: case for case in CASES}
