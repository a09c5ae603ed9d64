"""Frames of AWS event streams, written as the specification has them."""

import base64
import json
import struct
import zlib


def frame(headers, payload):
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    begin = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    begin += struct.pack(">I", zlib.crc32(begin))
    whole = begin + head + payload
    return whole + struct.pack(">I", zlib.crc32(whole))


def chunk(event):
    payload = json.dumps({"bytes": base64.b64encode(json.dumps(event).encode()).decode(), "p": "abc"}).encode()
    said = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(said, payload)
