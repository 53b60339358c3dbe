# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""sdk_server.py PORT BACKEND FILE: threads with OpenTelemetry's own SDK: a SERVER span for each request and a CLIENT span for
the call that it makes, whose context goes with it. Each span is a line of JSON in FILE."""

import json
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

PORT, BACKEND, FILE = int(sys.argv[1]), int(sys.argv[2]), open(sys.argv[3], "a", buffering=1)
lock = threading.Lock()


class Lines(SpanExporter):
    def export(self, spans):
        with lock:
            for span in spans:
                FILE.write(json.dumps({
                    "trace": f"{span.context.trace_id:032x}", "span": f"{span.context.span_id:016x}",
                    "parent": f"{span.parent.span_id:016x}" if span.parent else "", "kind": span.kind.name, "name": span.name}) + "\n")
        return SpanExportResult.SUCCESS


provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(Lines()))
tracer = provider.get_tracer("app")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        above = propagate.extract(dict(self.headers))
        with tracer.start_as_current_span(self.path, above, trace.SpanKind.SERVER):
            with tracer.start_as_current_span(self.path, kind=trace.SpanKind.CLIENT):
                fields = {}
                propagate.inject(fields)
                url = f"http://127.0.0.1:{BACKEND}/b{self.path}/0"
                with urllib.request.urlopen(urllib.request.Request(url, headers=fields), timeout=20) as got:
                    got.read()
        text = self.path.split("/")[-1].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer.request_queue_size = 256
ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()
