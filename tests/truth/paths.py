# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""What a request's path says about its cause. Paths are all that travels: query values are redacted in spans.

    /MODE/iN            a client's request number N; MODE tells the handler what to do
    /b/MODE/iN/K        a call that a handler makes for it, K = 0, 1, ...
    /b/MODE/iN/K.J      the J-th call that is made for the call K: services behind services
    /b/MODE/xN/0        a call that no request caused: a timer's, a health check's"""

import collections
import re

_PATH = re.compile(r"(?:/b)?/([\w-]+)/([ix])(\d+)(?:/(\d+(?:\.\d+)*))?")


class Where(collections.namedtuple("Where", "mode caused number call")):
    """A parsed path: `caused` is False for calls that no request caused, `call` is '' for a client's own request."""

    @property
    def path(self):
        name = f"{self.mode}/{'i' if self.caused else 'x'}{self.number}"
        return f"/b/{name}/{self.call}" if self.call else f"/{name}"

    @property
    def cause(self):
        """The inbound request that caused this one; None for what no traced service's request caused."""
        if not self.caused or not self.call:
            return None
        return self._replace(call=self.call.rpartition(".")[0])


def parse(path):
    """None for a path that is not of this bed."""
    m = _PATH.fullmatch(path)
    if not m or path.startswith("/b/") != bool(m[4]):
        return None
    return Where(m[1], m[2] == "i", int(m[3]), m[4] or "")


def inbound(mode, number):
    return Where(mode, True, number, "").path


def outbound(mode, number, calls):
    """The paths of a request's calls: `calls` is their number, or their names where services call on."""
    names = map(str, range(calls)) if isinstance(calls, int) else calls
    return [Where(mode, True, number, name).path for name in names]


# The traceparent that a client sends with its request N.

SAME = f"00-5eed{1:028x}-5eed{1:012x}-01"
BROKEN = (f"00-{0:032x}-5eed{1:012x}-01", f"00-5eed{1:028x}-{0:016x}-01", "ff" + SAME[2:], SAME[:40], SAME.upper(),
          SAME.replace("e", "g"))


def traceparent(kind, number):
    """`unique`: one a request; `same`: one for all; `broken`: of forms that must be ignored; None: none."""
    if kind == "unique":
        return f"00-7ea1{number:028x}-7ea1{number:012x}-01"
    if kind == "same":
        return SAME
    if kind == "broken":
        return BROKEN[number % len(BROKEN)]
    return None
