# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""The receivers under test: an OpenTelemetry Collector, Jaeger, Zipkin, Tempo; and a socket that never answers."""

import base64
import json
import pathlib
import socket
import subprocess
import threading
import urllib.error
import urllib.request

from .otlp import LineFile, spans_of
from .proc import Daemon, find, free_port, listens, part, wait_until


def get_json(url, timeout_s=5):
    """The JSON at this address; None for 404, which APIs of traces say until one has arrived."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise


class Certificates:
    """A certificate authority of our own, a server's certificate for 127.0.0.1 and a client's."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.ca = self.folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                      "2", "-subj", "/CN=spantap test CA", "-keyout", "ca.key", "-out", "ca.pem")
        self.server = self._issue("server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
        self.client = self._issue("client", "extendedKeyUsage=clientAuth")

    def _openssl(self, *args):
        subprocess.run([find("openssl"), *args], cwd=self.folder, check=True, capture_output=True, timeout=30)

    def _issue(self, name, extension):
        """(certificate, key) signed by our authority."""
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                      f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext", "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"


class Collector:
    """An OpenTelemetry Collector that takes OTLP in the clear, over TLS, and over TLS that asks for a client's
    certificate, each by gRPC and HTTP, and writes what it gets to one file of JSON lines."""

    SECURITY = ("plain", "tls", "mtls")

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.certificates = Certificates(folder)
        self.ports = {(s, p): free_port() for s in self.SECURITY for p in ("grpc", "http")}
        self._file = LineFile(folder / "spans.json")
        (folder / "config.json").write_text(json.dumps(self._config()))
        self._folder = folder
        self.start()

    def start(self):
        """Again, after a stop: at the same ports, with the same file."""
        self._daemon = Daemon([part("otelcol"), "--config", self._folder / "config.json"],
                              self._folder / "otelcol.log", lambda: all(map(listens, self.ports.values())))

    def _receiver(self, security):
        server = {}
        if security != "plain":
            certificate, key = map(str, self.certificates.server)
            server["tls"] = {"cert_file": certificate, "key_file": key}
        if security == "mtls":
            server["tls"]["client_ca_file"] = str(self.certificates.ca)
        return {"protocols": {p: {"endpoint": f"127.0.0.1:{self.ports[security, p]}", **server}
                              for p in ("grpc", "http")}}

    def _config(self):
        receivers = {f"otlp/{s}": self._receiver(s) for s in self.SECURITY}
        pipeline = {"receivers": list(receivers), "exporters": ["file"]}
        return {
            "receivers": receivers,
            "exporters": {"file": {"path": str(self._file.path), "flush_interval": "50ms"}},
            "service": {"pipelines": {"traces": pipeline},
                        "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}}},
        }

    def url(self, security="plain", protocol="http"):
        scheme = "http" if security == "plain" else "https"
        return f"{scheme}://127.0.0.1:{self.ports[security, protocol]}"

    def spans(self, span_ids, timeout_s=10):
        """{span id: Span} of these, once all have arrived or the time is up."""
        wanted, got = set(span_ids), {}

        def all_there():
            got.update((s.span_id, s) for s in self._file.spans() if s.span_id in wanted)
            return len(got) == len(wanted)

        try:
            wait_until(all_there, timeout_s, "spans in the collector")
        except TimeoutError:
            pass
        return got

    def stop(self):
        self._daemon.stop()


class Jaeger:
    """Jaeger all-in-one with its stores in memory; every port that it would open is chosen for it."""

    _PORTS = ("collector.otlp.grpc", "collector.otlp.http", "query.http-server", "query.grpc-server", "admin.http",
              "collector.http-server", "collector.grpc-server")

    def __init__(self, folder):
        self._ports = {name: free_port() for name in self._PORTS}
        argv = [f"--{name}.host-port=127.0.0.1:{port}" for name, port in self._ports.items()]
        self._daemon = Daemon([part("jaeger"), "--log-level=error", *argv], pathlib.Path(folder) / "jaeger.log",
                              self._ready, env={"SPAN_STORAGE_TYPE": "memory"})

    def _ready(self):
        return all(listens(self._ports[name]) for name in self._PORTS[:3]) and self.services() is not None

    def _api(self, path):
        return get_json(f"http://127.0.0.1:{self._ports['query.http-server']}/api/{path}")

    def url(self, protocol):
        return f"http://127.0.0.1:{self._ports['collector.otlp.' + protocol]}"

    def services(self):
        return self._api("services")["data"] or []

    def trace(self, trace_id, spans_cnt, timeout_s=10):
        """The trace as Jaeger's API gives it back, once it has that many spans; {} when it never does."""
        got = {}

        def whole():
            found = (self._api(f"traces/{trace_id}") or {}).get("data") or [{}]
            got.update(found[0])
            return len(got.get("spans", [])) >= spans_cnt

        try:
            wait_until(whole, timeout_s, "trace in Jaeger")
        except TimeoutError:
            pass
        return got

    def stop(self):
        self._daemon.stop()


class Zipkin:
    """Zipkin's server with its store in memory."""

    def __init__(self, folder):
        self.port = free_port()
        self._daemon = Daemon(
            [find("java"), "-Xmx256m", "-XX:TieredStopAtLevel=1", "-jar", part("zipkin"),
             "--logging.level.root=warn"], pathlib.Path(folder) / "zipkin.log", self._ready,
            env={"QUERY_PORT": str(self.port), "STORAGE_TYPE": "mem", "SELF_TRACING_ENABLED": "false"},
            cwd=folder, timeout_s=60)

    def _ready(self):
        return listens(self.port) and get_json(f"http://127.0.0.1:{self.port}/health") is not None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/api/v2/spans"

    def trace(self, trace_id, spans_cnt, timeout_s=10):
        """Spans (Zipkin's v2 JSON) of a trace, once there are that many or the time is up."""
        got = []

        def whole():
            got[:] = get_json(f"http://127.0.0.1:{self.port}/api/v2/trace/{trace_id}") or []
            return len(got) >= spans_cnt

        try:
            wait_until(whole, timeout_s, "trace in Zipkin")
        except TimeoutError:
            pass
        return got

    def stop(self):
        self._daemon.stop()


class Tempo:
    """Grafana Tempo as one process, with its blocks in a folder."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self._ports = {name: free_port() for name in ("api", "internal", "grpc", "http", "gossip")}
        (folder / "tempo.json").write_text(json.dumps(self._config(folder)))
        self._daemon = Daemon([part("tempo"), folder / "tempo.json"], folder / "tempo.log", self._ready,
                              cwd=folder, timeout_s=60)

    def _config(self, folder):
        protocols = {p: {"endpoint": f"127.0.0.1:{self._ports[p]}"} for p in ("grpc", "http")}
        ring = {"kvstore": {"store": "inmemory"}, "replication_factor": 1}
        return {
            "server": {"http_listen_address": "127.0.0.1", "http_listen_port": self._ports["api"],
                       "grpc_listen_address": "127.0.0.1", "grpc_listen_port": self._ports["internal"],
                       "log_level": "warn"},
            "distributor": {"receivers": {"otlp": {"protocols": protocols}}},
            "ingester": {"lifecycler": {"address": "127.0.0.1", "ring": ring, "min_ready_duration": "0s",
                                        "join_after": "0s", "final_sleep": "0s"}},
            "memberlist": {"bind_addr": ["127.0.0.1"], "bind_port": self._ports["gossip"]},
            "querier": {"frontend_worker": {"frontend_address": f"127.0.0.1:{self._ports['internal']}"}},
            "storage": {"trace": {"backend": "local", "local": {"path": str(folder / "blocks")},
                                  "wal": {"path": str(folder / "wal")}}},
            "usage_report": {"reporting_enabled": False},
        }

    def _get(self, path):
        return f"http://127.0.0.1:{self._ports['api']}{path}"

    def _ready(self):
        try:
            with urllib.request.urlopen(self._get("/ready"), timeout=2) as answer:
                return answer.status == 200
        except OSError:
            return False

    def url(self, protocol):
        return f"http://127.0.0.1:{self._ports[protocol]}"

    def trace(self, trace_id, spans_cnt, timeout_s=10):
        """{span id: Span} of a trace, once there are that many or the time is up."""
        got = {}

        def whole():
            answer = get_json(self._get(f"/api/traces/{trace_id}")) or {}
            got.update((s.span_id, s) for s in spans_of(_with_hex_ids(answer)))
            return len(got) >= spans_cnt

        try:
            wait_until(whole, timeout_s, "trace in Tempo")
        except TimeoutError:
            pass
        return got

    def stop(self):
        self._daemon.stop()


def _with_hex_ids(answer):
    """Tempo's JSON is protobuf's: OTLP under an older name, with its ids in base64."""
    def convert(node):
        if isinstance(node, list):
            return [convert(item) for item in node]
        if not isinstance(node, dict):
            return node
        return {_TEMPO_NAMES.get(k, k): base64.b64decode(v).hex() if k in _ID_NAMES else convert(v)
                for k, v in node.items()}
    return convert(answer)


_ID_NAMES = frozenset(("traceId", "spanId", "parentSpanId"))
_TEMPO_NAMES = {"batches": "resourceSpans", "instrumentationLibrarySpans": "scopeSpans",
                "instrumentationLibrary": "scope"}


class Silent:
    """A receiver that accepts connections and reads, but never answers: an output that hangs."""

    def __init__(self):
        self._listener = socket.create_server(("127.0.0.1", free_port()))
        self._taken = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self):
        try:
            while True:
                self._taken.append(self._listener.accept()[0])
        except OSError:
            return

    def stop(self):
        self._listener.close()
        for connection in self._taken:
            connection.close()
