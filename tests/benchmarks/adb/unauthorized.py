"""A phone whose owner has not tapped Allow: it asks every computer for a signature, for ever.

Debian's adbd asks nobody, so this speaks the first words of adb's protocol by itself
(packages/modules/adb/protocol.txt): six little-endian words of head, then the data.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading

_AUTH, _TOKEN = 0x48545541, 1


def _message(command: int, first: int, second: int, data: bytes) -> bytes:
    head = (command, first, second, len(data), sum(data), command ^ 0xFFFFFFFF)
    return struct.pack("<6I", *head) + data


def _answer(link: socket.socket) -> None:
    with link, link.makefile("rb") as stream:
        while len(head := stream.read(24)) == 24:
            stream.read(struct.unpack("<6I", head)[3])
            link.sendall(_message(_AUTH, _TOKEN, 0, os.urandom(20)))


def _serve(port: int) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            link, _ = server.accept()
            threading.Thread(target=_answer, args=(link,), daemon=True).start()


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
