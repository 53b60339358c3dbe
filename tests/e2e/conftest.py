# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""Fixtures of the end-to-end tests; `pytest tests/e2e --help` names the options (section spantap)."""

import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import clients, proc, receivers, servers, spantap

LIMIT_S = 60


def pytest_addoption(parser):
    group = parser.getgroup("spantap")
    group.addoption("--binary", default=str(proc.ROOT / "build" / "spantap"), help="the tracer under test")
    group.addoption("--recordings", metavar="DIR", help="keep what each test records here, one file a tracer")
    group.addoption("--rung", help="passed to every tracer: force one rung of hooks")


def pytest_configure(config):
    # Whoever stops the run by SIGTERM, as timeout(1) does, gets the fixtures' clean-up too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.addinivalue_line("markers", f"limit(seconds): ends the test then; {LIMIT_S} s without it")
    config.addinivalue_line("markers", "traced: runs the tracer (set by itself); -m 'not traced' proves the fixtures")


def pytest_collection_modifyitems(items):
    for item in items:
        if {"tracer", "run"} & set(item.fixturenames):
            item.add_marker("traced")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    """A test that hangs fails, with the place it hangs at, instead of holding the whole run."""
    marker = item.get_closest_marker("limit")
    seconds = marker.args[0] if marker else LIMIT_S

    def expired(*_):
        raise TimeoutError(f"the test took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        return (yield)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="session")
def session_dir():
    """A folder that servers running as another user can read, unlike pytest's own."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="spantap-e2e-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(session_dir, request):
    """A folder for this test alone."""
    path = session_dir / f"t-{len(os.listdir(session_dir)):03d}"
    path.mkdir()
    return path


@pytest.fixture(scope="session")
def start_server(session_dir):
    """start_server(NAME): a server by its name in harness/servers.py, started once a session."""
    started, failed = {}, {}

    def start(name):
        if name in failed:
            pytest.fail(f"{name} did not start: {failed[name]}")
        if name not in started:
            path = session_dir / f"server-{name}"
            path.mkdir()
            try:
                started[name] = servers.ALL[name](path)
            except Exception as error:
                failed[name] = error
                raise
        return started[name]

    yield start
    for server in started.values():
        server.stop()


@pytest.fixture
def fresh_server(folder):
    """fresh_server(NAME): a server of this test's own, which the test may kill."""
    started = []

    def start(name):
        path = folder / f"server-{len(started)}-{name}"
        path.mkdir()
        started.append(servers.ALL[name](path))
        return started[-1]

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def start_client(folder):
    """start_client(NAME): a client by its name in harness/clients.py, waiting for its plan."""
    started = []

    def start(name):
        started.append(clients.ALL[name](folder))
        return started[-1]

    yield start
    for client in started:
        client.stop()


def _receiver_fixture(cls):
    @pytest.fixture(scope="session", name=cls.__name__.lower())
    def fixture(session_dir):
        path = session_dir / cls.__name__.lower()
        path.mkdir()
        receiver = cls(path)
        yield receiver
        receiver.stop()
    return fixture


collector = _receiver_fixture(receivers.Collector)
jaeger = _receiver_fixture(receivers.Jaeger)
zipkin = _receiver_fixture(receivers.Zipkin)
tempo = _receiver_fixture(receivers.Tempo)


@pytest.fixture(scope="session")
def tracer_pids():
    """Of every tracer of this session, those that have ended too."""
    return []


@pytest.fixture(scope="session")
def kernel_before(tracer_pids):
    """BPF objects of the host before the first tracer; after the last one nothing else may be there."""
    before = spantap.kernel_objects()
    yield before
    spantap.assert_nothing_left(before, tracer_pids)


@pytest.fixture(scope="session")
def binary(request, session_dir):
    """A copy of the tracer: a build that goes on beside the tests does not change it, and other users can run it."""
    path = pathlib.Path(request.config.getoption("--binary")).resolve()
    if not os.access(path, os.X_OK):
        pytest.fail(f"{path}: not there; build it with make, or name another with --binary", pytrace=False)
    copy = session_dir / "spantap"
    shutil.copy(path, copy)
    copy.chmod(0o755)
    return copy


@pytest.fixture
def tracer(binary, folder, request, kernel_before, tracer_pids):
    """tracer(*ARGS, env=..., wait=True): a tracer that has attached; killed at the test's end if still there."""
    started = []
    recordings, rung = (request.config.getoption(o) for o in ("--recordings", "--rung"))

    def start(*args, env=None, wait=True):
        extra = ["--rung", rung] if rung else []
        if recordings and "none" not in args:  # the kernel alone times: there is nothing to record
            os.makedirs(recordings, exist_ok=True)
            test = request.node.name.translate(str.maketrans("[/", "--", "]"))
            extra += ["--record", f"{recordings}/{test}-{len(started)}.rec"]
        started.append(spantap.Spantap(binary, [*extra, *args], folder, env))
        tracer_pids.append(started[-1].pid)
        return started[-1].attached() if wait else started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def run(binary, kernel_before, tracer_pids):
    """run(*ARGS, env=..., before=()): (exit code, stdout, stderr) of a tracer that ends by itself at once."""
    def call(*args, env=None, before=()):
        popen = subprocess.Popen([*map(str, before), str(binary), *map(str, args)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 env={**os.environ, **(env or {})})
        tracer_pids.append(popen.pid)
        try:
            out, err = popen.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.communicate()
            raise
        return popen.returncode, out, err
    return call
