# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""HTTP/1.x as it is seldom written: each request is one span, and what is none makes none."""

import pytest

from harness import check
from harness.proc import APPS, Daemon, find, free_port, listens
from harness.raw import Raw, path


@pytest.fixture
def raw_server(folder):
    """raw_server(FAMILY): (address for Raw, daemon) of apps/raw.py."""
    started = []

    def start(family="inet"):
        port = free_port()
        address = {"inet": port, "inet6": ("::1", port), "unix": folder / "raw.sock"}[family]
        ready = {"inet": lambda: listens(port), "inet6": lambda: listens(port, "::1"),
                 "unix": lambda: address.exists()}[family]
        word = address if family == "unix" else port
        started.append(Daemon([find("python3"), APPS / "raw.py", family, word], folder / "raw.log", ready))
        return address, started[-1]

    yield start
    for daemon in started:
        daemon.stop()


def _paths(tap, count):
    """The paths of the server's spans, after the tracer has ended: none can follow."""
    tap.wait_spans(count, "SERVER")
    closing = tap.stop()
    assert closing.lost == 0, closing
    return [s.path for s in sorted(tap.spans("SERVER"), key=lambda s: s.start_ns)]


@pytest.mark.parametrize("server_name", ["nginx", "python", "gunicorn_gthread", "node", "go", "apache"])
def test_connection_from_before_the_attach(server_name, start_server, tracer):
    server = start_server(server_name)
    paths = [path() for _ in range(4)]
    with Raw(server.port) as raw:
        raw.get(paths[0])
        raw.answer()
        tap = tracer("-p", server.pid, "-o", "json")
        for one in paths[1:]:
            raw.get(one)
            assert raw.answer() == 200
        assert _paths(tap, 3) == paths[1:]


@pytest.mark.parametrize("server_name", ["nginx", "python", "node", "go", "apache"])
def test_pipelined(server_name, start_server, tracer):
    server = start_server(server_name)
    tap = tracer("-p", server.pid, "-o", "json")
    paths = [path() for _ in range(7)]
    with Raw(server.port) as raw:
        raw.send("".join(f"GET {p} HTTP/1.1\r\nHost: a\r\n\r\n" for p in paths))
        assert [raw.answer() for _ in paths] == 7 * [200]
    assert sorted(_paths(tap, 7)) == paths
    assert len({s.span_id for s in tap.spans()}) == 7


@pytest.mark.parametrize("piece_sz", [1, 7])
@pytest.mark.parametrize("server_name", ["nginx", "node", "go"])
def test_head_in_many_pieces(server_name, piece_sz, start_server, tracer):
    server = start_server(server_name)
    tap = tracer("-p", server.pid, "-o", "json")
    one = path()
    with Raw(server.port) as raw:
        raw.send(f"GET {one} HTTP/1.1\r\nHost: shop.example\r\nX-Long: {'x' * 40}\r\n\r\n", piece_sz)
        assert raw.answer() == 200
    assert _paths(tap, 1) == [one]


@pytest.mark.parametrize("head_sz", [8_000, 60_000])
def test_long_head(head_sz, start_server, tracer):
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one, other = path(), path()
    fields = "".join(f"X-Field-{i}: {'v' * 980}\r\n" for i in range(head_sz // 1000))
    with Raw(server.port) as raw:
        raw.send(f"GET {one} HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
        assert raw.answer() == 200
        raw.get(other)
        assert raw.answer() == 200
    assert _paths(tap, 2) == [one, other]


def test_head_in_the_next_bodys_call(start_server, tracer):
    """One call carries the end of one request's body and the head of the next."""
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one, other = path("echo"), path()
    with Raw(server.port) as raw:
        raw.send(f"POST {one} HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n01234")
        raw.send(f"56789GET {other} HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [raw.answer(), raw.answer()] == [200, 200]
    assert sorted(_paths(tap, 2)) == sorted([one, other])


def test_chunked_request(start_server, tracer):
    """A chunk may hold what looks like a request; it is a body's."""
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one, other, fake = path("echo"), path(), f"GET {path()} HTTP/1.1\r\nHost: a\r\n\r\n"
    with Raw(server.port) as raw:
        raw.send(f"POST {one} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.send(f"{len(fake):x};ext=1\r\n{fake}\r\n")
        raw.send("0\r\nX-Trailer: t\r\n\r\n")
        assert raw.answer() == 200
        raw.get(other)
        assert raw.answer() == 200
    assert _paths(tap, 2) == [one, other]


def _chunked(sizes, trailer=""):
    return "".join(f"{n:x}\r\n{'c' * n}\r\n" for n in sizes) + f"0\r\n{trailer}\r\n"


@pytest.mark.parametrize("server_name", ["go", "node", "gunicorn_gthread"])
@pytest.mark.parametrize("piece_sz", [None, 1000, 65536])
def test_chunked_requests_are_followed_by_others(piece_sz, server_name, start_server, tracer):
    """Bodies that nobody copies: their ends are found all the same."""
    server = start_server(server_name)
    tap = tracer("--port", server.port, "-o", "json")
    paths = []
    with Raw(server.port) as raw:
        for sizes, trailer in [([5, 7], ""), ([100_000], ""), ([4096] * 20, "X-Sum: 1\r\n"), ([1] * 300, "")]:
            paths += [path("echo"), path()]
            raw.send(f"POST {paths[-2]} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                     _chunked(sizes, trailer), piece_sz)
            assert raw.answer() == 200
            raw.get(paths[-1])
            assert raw.answer() == 200
    tap.wait_spans(2 * len(paths))
    closing = tap.stop()
    for kind in ("SERVER", "CLIENT"):
        check.assert_one_each(tap.spans(kind), paths, f"{kind} spans")
    assert closing.lost == 0, closing


def test_early_answer_to_a_chunked_request(start_server, tracer):
    """nginx answers before the body is there. Nobody sees where that ends: what follows is counted, and no body is
    taken for a request."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    early, following, fake = path("echo"), path(), f"GET {path()} HTTP/1.1\r\nHost: a\r\n\r\n"
    with Raw(server.port) as raw:
        raw.send(f"POST {early} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n{'c' * 1000}")
        assert raw.answer() == 200
        raw.send(fake * 20)
        raw.send("c" * (0x800 - 1000 - 20 * len(fake)) + "\r\n0\r\n\r\n")
        raw.get(following)
        assert raw.answer() == 200
    tap.wait_spans(1)
    closing = tap.stop()
    assert closing.requests == 2 and {s.path for s in tap.spans()} <= {early, following}, closing


def test_body_that_looks_like_a_request(start_server, tracer):
    server = start_server("python")
    tap = tracer("-p", server.pid, "-o", "json")
    one, fake = path("echo"), f"GET {path()} HTTP/1.1\r\nHost: a\r\n\r\n"
    with Raw(server.port) as raw:
        raw.send(f"POST {one} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(fake)}\r\n\r\n")
        raw.send(fake)
        assert raw.answer() == 200
    assert _paths(tap, 1) == [one]


def test_http_1_0_and_close_delimited(start_server, tracer):
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path("chunked")
    with Raw(server.port) as raw:
        raw.get(one, version="1.0")
        assert len(raw.to_the_end()) > 100_000
    assert _paths(tap, 1) == [one]
    span, = tap.spans()
    assert span.attributes["network.protocol.version"] == "1.0" and span.status == "UNSET"


@pytest.mark.parametrize("route, method, status", [("close", "GET", 200), ("drip", "GET", 200),
                                                   ("early", "POST", 413)])
def test_seldom_answers(route, method, status, raw_server, tracer):
    address, daemon = raw_server()
    tap = tracer("-p", daemon.pid, "-o", "json")
    one = path(route)
    with Raw(address) as raw:
        raw.send(f"{method} {one} HTTP/1.1\r\nHost: a\r\n" + ("Content-Length: 5\r\n" if method == "POST" else "") + "\r\n")
        assert raw.answer(head_only=True) == status
        if method == "POST":
            raw.send("12345")
        if route == "close":
            raw.to_the_end()
    assert _paths(tap, 1) == [one]
    span, = tap.spans()
    assert span.attributes["http.response.status_code"] == status and span.status == "UNSET"


@pytest.mark.parametrize("calls", [1, 2])
@pytest.mark.parametrize("body_sz", [5, 3000])
def test_next_request_after_an_early_answer(body_sz, calls, start_server, tracer):
    """nginx's `return` answers before the request's body is there; the body is still that request's, and the next
    one is found, in the same call as the body's end too."""
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    early, following = path("echo"), path()
    with Raw(server.port) as raw:
        raw.send(f"POST {early} HTTP/1.1\r\nHost: a\r\nContent-Length: {body_sz}\r\n\r\n")
        assert raw.answer() == 200
        rest = "b" * body_sz + f"GET {following} HTTP/1.1\r\nHost: a\r\n\r\n"
        raw.send(rest, len(rest) if calls == 1 else body_sz)
        assert raw.answer() == 200
    assert _paths(tap, 2) == [early, following]


def test_continue(start_server, tracer):
    """100 Continue is not the answer."""
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path("echo")
    with Raw(server.port) as raw:
        raw.send(f"POST {one} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        assert raw.answer() == 100
        raw.send("abc")
        assert raw.answer() == 200
    assert _paths(tap, 1) == [one]
    assert tap.spans()[0].attributes["http.response.status_code"] == 200


@pytest.mark.parametrize("how", ["upgrade", "connect"])
def test_tunnel(how, raw_server, tracer):
    """After 101 and CONNECT the bytes are another protocol's, whatever they look like."""
    address, daemon = raw_server()
    tap = tracer("-p", daemon.pid, "-o", "json")
    with Raw(address) as raw:
        if how == "upgrade":
            raw.get(path("upgrade"), fields=["Connection: Upgrade", "Upgrade: echo"])
        else:
            raw.get("shop.example:443", method="CONNECT")
        status = raw.answer(head_only=True)
        assert status == (101 if how == "upgrade" else 200)
        fake = b"GET /fake HTTP/1.1\r\nHost: a\r\n\r\n"
        raw.send(fake)
        assert raw.exactly(len(fake)) == fake
    assert "/fake" not in _paths(tap, 1)
    span, = tap.spans()
    assert span.attributes["http.response.status_code"] == status


def test_absolute_form(start_server, tracer):
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path()
    with Raw(server.port) as raw:
        raw.get(f"http://shop.example{one}")
        assert raw.answer() == 200
    assert _paths(tap, 1) == [one]
    assert tap.spans()[0].attributes["server.address"] == "shop.example"


def test_unknown_method(start_server, tracer):
    """The conventions keep the attribute's values few: `_OTHER`, and the token beside it."""
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path()
    with Raw(server.port) as raw:
        raw.get(one, method="BREW")
        assert raw.answer() == 405
    assert _paths(tap, 1) == [one]
    attributes = tap.spans()[0].attributes
    assert attributes["http.request.method"] == "_OTHER"
    assert attributes["http.request.method_original"] == "BREW"
    assert tap.spans()[0].name.startswith("HTTP ")


def test_query_values_stay_here(start_server, tracer):
    server = start_server("go")
    tap = tracer("-p", server.pid, "-o", "json")
    one = path()
    with Raw(server.port) as raw:
        raw.get(f"{one}?card=4111111111111111&q=secret-word", fields=["Authorization: Bearer secret-word",
                                                                      "Cookie: id=secret-word"])
        assert raw.answer() == 200
    assert _paths(tap, 1) == [one]
    assert "secret-word" not in tap.out_path.read_text() and "41111111" not in tap.out_path.read_text()


def test_captured_header(start_server, tracer):
    server = start_server("go")
    tap = tracer("-p", server.pid, "--capture", "header:X-Shop", "-o", "json")
    with Raw(server.port) as raw:
        raw.get(path(), fields=["X-Shop: 12", "X-Other: 13"])
        assert raw.answer() == 200
    _paths(tap, 1)
    attributes = tap.spans()[0].attributes
    assert attributes["http.request.header.x-shop"] == ["12"]
    assert "http.request.header.x-other" not in attributes


@pytest.mark.parametrize("family", ["inet", "inet6", "unix"])
def test_families(family, raw_server, tracer):
    address, daemon = raw_server(family)
    tap = tracer("-p", daemon.pid, "-o", "json")
    paths = [path() for _ in range(5)]
    with Raw(address) as raw:
        for one in paths:
            raw.get(one)
            assert raw.answer() == 200
    assert _paths(tap, 5) == paths
    transport = {"unix": "unix"}.get(family, "tcp")
    assert {s.attributes.get("network.transport", "tcp") for s in tap.spans()} == {transport}


def test_connection_of_several_requests_keeps_their_order(start_server, tracer):
    server = start_server("nginx")
    tap = tracer("-p", server.pid, "-o", "json")
    paths = [path() for _ in range(50)]
    with Raw(server.port) as raw:
        for one in paths:
            raw.get(one)
            assert raw.answer() == 200
    assert _paths(tap, 50) == paths
    spans = sorted(tap.spans(), key=lambda s: s.start_ns)
    assert all(a.end_ns <= b.start_ns for a, b in zip(spans, spans[1:])), "one after the other"
    check.assert_one_each(spans, paths, "SERVER spans")
