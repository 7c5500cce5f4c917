# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that break the rules: the monitor lives, tells it once, and the other devices go on."""

import threading

from guests import make_disk
from machine import Failed

DEVICES = ("rng", "disk", "gpu", "keyboard", "tablet", "mouse", "net")
LOG_LINES_MAX = 20


class Poker:
    """Moves keys and pointer, so that a device looks into its queue of events."""

    def __init__(self, m, device):
        self.m, self.device = m, device
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def _run(self):
        try:
            while not self.stop.wait(0.02):
                if self.device == "keyboard":
                    self.m.call_raw("key", {"keys": ["a"]})
                else:
                    self.m.call_raw("pointer", {"button": "left"})
        except (Failed, OSError, ValueError):
            pass  # the machine ended


def run(place, guest, device, append="", seconds=60, cpus=1):
    disk = make_disk(place, "disk.raw")
    # Nobody sends a mouse anything while there is a tablet.
    poked = device in ("keyboard", "tablet")
    m = place.machine(guest, "--disk", f"path={disk},format=raw", "--display", "160x120",
                      append=f"device={device} poke={int(poked)} cpus={cpus} {append}", net="user", cpus=cpus)
    if poked:
        with Poker(m, device):
            m.finish(guest, seconds)
    else:
        m.finish(guest, seconds)
    lines, complaints = m.log_lines(), {}
    if len(lines) > LOG_LINES_MAX:
        raise Failed(f"a guest made the monitor write {len(lines)} lines:\n" + "\n".join(lines[:40]))
    for line in lines:
        if "broke a rule" in line:
            name = line.split(": ")[1]
            complaints[name] = complaints.get(name, 0) + 1
    for name, count in complaints.items():
        if count > 1:
            raise Failed(f"{name} complained {count} times; once is enough:\n" + "\n".join(lines))


def add(tests, guest, device, **more):
    def test(place):
        run(place, guest, device, **more)
    tests[f"test_{guest}_{device}" + "".join(f"_{v}" for v in more.values())] = test


def tests():
    found = {}
    for device in DEVICES:
        add(found, "hostile_ring", device)
        add(found, "hostile_regs", device)
        if device != "gpu":
            add(found, "hostile_requests", device)
        add(found, "hostile_race", device, cpus=4)
    add(found, "hostile_gpu", "gpu")
    for seed in (1, 2, 3):
        def test(place, seed=seed):
            run(place, "hostile_platform", "rng", append=f"seed={seed}")
        found[f"test_hostile_platform_{seed}"] = test
    return found
