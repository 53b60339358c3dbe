# SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
"""One span as an ExportTraceServiceRequest in protobuf, by hand: the receivers are proved with bytes that owe
nothing to the encoder under test. Field numbers from opentelemetry-proto 1.x."""

import struct


def _varint(n):
    out = bytearray()
    while n > 0x7f:
        out.append(n & 0x7f | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def _bytes(field, data):
    return _varint(field << 3 | 2) + _varint(len(data)) + data


def _fixed64(field, number):
    return _varint(field << 3 | 1) + struct.pack("<Q", number)


def _string_attribute(field, key, text):
    return _bytes(field, _bytes(1, key.encode()) + _bytes(2, _bytes(1, text.encode())))


def export_request(trace_id, span_id, service, name, start_ns, end_ns):
    span = (_bytes(1, bytes.fromhex(trace_id)) + _bytes(2, bytes.fromhex(span_id)) + _bytes(5, name.encode()) +
            _varint(6 << 3) + _varint(2) + _fixed64(7, start_ns) + _fixed64(8, end_ns))
    resource = _string_attribute(1, "service.name", service)
    return _bytes(1, _bytes(1, resource) + _bytes(2, _bytes(2, span)))


def grpc_frame(message, compressed=False):
    return struct.pack(">BI", compressed, len(message)) + message
