# SPDX-License-Identifier: GPL-2.0-or-later
"""A VNC client that knows as little as a client may (RFC 6143): no password, raw pixels, no extension."""

import socket
import struct

from machine import Failed

XK_END = 0xff57


class Client:
    def __init__(self, path, seconds):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        if self._read(12) != b"RFB 003.008\n":
            raise Failed("VNC: not version 3.8")
        self.socket.sendall(b"RFB 003.008\n")
        kinds = self._read(self._read(1)[0])
        if 1 not in kinds:
            raise Failed(f"VNC: security types {list(kinds)}, and None is not among them")
        self.socket.sendall(b"\1")
        if self._read(4) != b"\0\0\0\0":
            raise Failed("VNC: refused")
        self.socket.sendall(b"\1")  # shared
        self.width, self.height = struct.unpack(">HH", self._read(4))
        self._read(16)
        self.name = self._read(struct.unpack(">I", self._read(4))[0]).decode()
        # 32 bits, little endian, red in the third byte; raw only
        self.socket.sendall(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 16, 8, 0))
        self.socket.sendall(struct.pack(">BxHi", 2, 1, 0))

    def _read(self, n):
        got = b""
        while len(got) < n:
            more = self.socket.recv(n - len(got))
            if not more:
                raise Failed("VNC: the server hung up")
            got += more
        return got

    def picture(self):
        """Width, height and rows of 3 bytes a pixel, as a screenshot's."""
        self.socket.sendall(struct.pack(">BBHHHH", 3, 0, 0, 0, self.width, self.height))
        rows = [bytearray(3 * self.width) for _ in range(self.height)]
        left = self.width * self.height
        while left > 0:
            left -= self._update(rows)
        return self.width, self.height, rows

    def _update(self, rows):
        kind = self._read(1)[0]
        if kind == 2:  # bell
            return 0
        if kind != 0:
            raise Failed(f"VNC: message {kind} was not asked for")
        pixels = 0
        for _ in range(struct.unpack(">xH", self._read(3))[0]):
            x, y, w, h, encoding = struct.unpack(">HHHHi", self._read(12))
            if encoding != 0:
                raise Failed(f"VNC: encoding {encoding} was not asked for")
            data = self._read(4 * w * h)
            for row in range(h):
                line = data[4 * w * row:4 * w * (row + 1)]
                for i, channel in enumerate((2, 1, 0)):
                    rows[y + row][3 * x + i:3 * (x + w) + i:3] = line[channel::4]
            pixels += w * h
        return pixels

    def key(self, keysym, down):
        self.socket.sendall(struct.pack(">BB2xI", 4, down, keysym))

    def pointer(self, x, y, buttons=0):
        self.socket.sendall(struct.pack(">BBHH", 5, buttons, x, y))

    def close(self):
        self.socket.close()
