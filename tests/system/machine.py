# SPDX-License-Identifier: GPL-2.0-or-later
"""A hotdesk-vmm that runs a test guest, and what tests ask of it."""

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time

import png

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SANITIZER = re.compile(rb"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|runtime error:")


class Failed(Exception):
    """The test failed; the text says why."""


def expect(what, wanted, got):
    if wanted != got:
        raise Failed(f"{what}: expected {wanted!r}, got {got!r}")


class Place:
    """Where a test runs: programs, guests, and a folder of its own that must be left as it was."""

    def __init__(self, build, slow):
        self.build = build
        self.slow = slow  # factor for every time limit: a sanitizer's, or a busy machine's
        self.folder = tempfile.mkdtemp(prefix="hotdesk-test-", dir="/dev/shm")
        self.ours = set()
        self.machines = []

    def path(self, name):
        """A file of the test's own, which may stay."""
        self.ours.add(name)
        return os.path.join(self.folder, name)

    def vmm(self):
        return os.path.join(self.build, "hotdesk-vmm")

    def guest(self, name):
        return os.path.join(TREE, "build", "guest", name + ".elf")

    def machine(self, guest, *args, **more):
        m = Machine(self, guest, *args, **more)
        self.machines.append(m)
        return m

    def environment(self):
        env = dict(os.environ)
        env["ASAN_OPTIONS"] = "abort_on_error=0:exitcode=99:detect_leaks=1"
        env["UBSAN_OPTIONS"] = "print_stacktrace=1"
        env["TSAN_OPTIONS"] = "exitcode=98 suppressions=" + os.path.join(TREE, "tests", "system", "tsan.supp")
        return env

    def leftovers(self):
        return sorted(set(os.listdir(self.folder)) - self.ours)

    def close(self):
        for m in self.machines:
            m.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Machine:
    """Serial lines are collected as they come; the control socket is opened when it is first used."""

    def __init__(self, place, guest, *args, append="", memory="64M", cpus=1, net="none", serial="stdio"):
        self.place = place
        self.lines = []
        self.changed = threading.Condition()
        self.socket = None
        self.next_id = 0
        self.control_path = os.path.join(place.folder, f"control{len(place.machines)}")
        self.log_path = place.path(f"log{len(place.machines)}")
        kernel = guest if guest.startswith("/") else place.guest(guest)
        command = [
            place.vmm(), "--kernel", kernel, "--append", append, "--memory", memory, "--cpus", str(cpus),
            "--net", net, "--serial", serial, "--control", "unix:" + self.control_path,
            "--run", place.folder, "--cache", "none", *args,
        ]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                env=place.environment())
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\r\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append(None)
            self.changed.notify_all()

    # ---- the guest's serial port ----

    def wait_line(self, pattern, seconds=10):
        """The first line, of all so far and to come, that matches; its match."""
        end = time.monotonic() + seconds * self.place.slow
        at = 0
        with self.changed:
            while True:
                while at < len(self.lines):
                    line = self.lines[at]
                    at += 1
                    if line is None:
                        status = self.process.wait(10)
                        raise Failed(f"status {status} before a line {pattern!r}{self._tail()}")
                    match = re.search(pattern, line)
                    if match:
                        return match
                    if line.startswith("FAIL "):
                        raise Failed(f"guest: {line}{self._tail(40)}")
                left = end - time.monotonic()
                if left <= 0:
                    raise Failed(f"no line {pattern!r} within {seconds * self.place.slow} s{self._tail()}")
                self.changed.wait(left)

    def send(self, text="\n"):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def step(self, name):
        """Until the guest has come to a step; proceed() lets it go on."""
        self.wait_line(f"^STEP {name}$")

    def proceed(self):
        self.send("\n")

    def all_lines(self):
        return [line for line in self.lines if line is not None]

    def _tail(self, count=6):
        lines = [line for line in self.lines if line is not None][-count:]
        return "".join(f"\n    serial: {line}" for line in lines) + self._log_tail()

    # ---- its monitor ----

    def call_raw(self, method, params=None):
        """The whole answer of one JSON-RPC request."""
        if not self.socket:
            self._connect()
        self.next_id += 1
        request = {"jsonrpc": "2.0", "id": self.next_id, "method": method}
        if params is not None:
            request["params"] = params
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        line = self.answers.readline()
        if not line:
            raise Failed(f"control: no answer to {method}")
        return json.loads(line)

    def call(self, method, **params):
        answer = self.call_raw(method, params or None)
        if "error" in answer:
            raise Failed(f"control: {method}: {answer['error']['message']}")
        return answer["result"]

    def _connect(self):
        end = time.monotonic() + 10 * self.place.slow
        while True:
            try:
                self.socket = socket.socket(socket.AF_UNIX)
                self.socket.settimeout(10 * self.place.slow)
                self.socket.connect(self.control_path)
                self.answers = self.socket.makefile("rb")
                return
            except OSError as e:
                self.socket.close()
                self.socket = None
                if time.monotonic() > end or self.process.poll() is not None:
                    raise Failed(f"control socket: {e}{self._log_tail()}") from e
                time.sleep(0.02)

    def screenshot(self, **params):
        """Width, height and rows of (r, g, b) bytes."""
        return png.decode(base64.b64decode(self.call("screenshot", **params)["data"]))

    def wait_exit(self, status=0, seconds=15):
        try:
            got = self.process.wait(seconds * self.place.slow)
        except subprocess.TimeoutExpired:
            raise Failed(f"still running after {seconds * self.place.slow} s{self._tail()}") from None
        self.reader.join(5)
        self._close()
        self.check_log()
        if got != status:
            raise Failed(f"exit status {got}, not {status}{self._tail()}")

    def finish(self, name=None, seconds=15):
        """The guest says PASS, powers off, and the monitor ends well."""
        self.wait_line(f"^PASS {name}$" if name else "^PASS ", seconds)
        self.wait_exit(0)

    def log(self):
        with open(self.log_path, "rb") as f:
            return f.read()

    def log_lines(self):
        return self.log().decode("utf-8", "replace").splitlines()

    def check_log(self):
        if SANITIZER.search(self.log()):
            raise Failed("a sanitizer reports:\n" + self.log().decode("utf-8", "replace"))

    def _log_tail(self):
        return "".join(f"\n    log: {line}" for line in self.log_lines()[-12:])

    def _close(self):
        if self.socket:
            self.answers.close()
            self.socket.close()
            self.socket = None
        for stream in (self.process.stdin, self.process.stdout):
            try:
                stream.close()
            except OSError:
                pass

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._close()
