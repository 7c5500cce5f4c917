# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that use their devices as they should."""

import os
import re
import socket
import struct
import subprocess
import time

import rfb
from machine import Failed, expect

SECTORS = 2048
PATTERN_X, PATTERN_Y = 0x030201, 0x010507


def wait_for(what, condition, seconds):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"{what}: not within {seconds} s")
        time.sleep(0.02)


# ---- the PC ----


def test_smoke(place):
    m = place.machine("smoke", append="quiet a=1 text=\"x y\"", memory="64M")
    m.finish("smoke")
    m_lines = m.all_lines()
    expect("command line", 'cmdline "quiet a=1 text="x y""', m_lines[0])
    if not any(line == "hypervisor KVMKVMKVM" for line in m_lines):
        raise Failed("CPUID does not show KVM")
    if "pit pin 2: " not in "".join(m_lines):
        raise Failed("the timer is not where PCs have it")


def test_smoke_initrd(place):
    path = place.path("initrd")
    for size in (1, 4096, 3 << 20 | 123):
        with open(path, "wb") as f:
            f.write(b"\xaa" + b"x" * (size - 2) + b"\xbb" * (size > 1))
        m = place.machine("smoke", "--initrd", path)
        m.finish("smoke")
        expect("initrd", True, f"initrd {size} bytes, aa to {'bb' if size > 1 else 'aa'}" in m.all_lines())


def test_smoke_memory_above_4g(place):
    m = place.machine("smoke", memory="4G", cpus=2)
    m.finish("smoke")
    ranges = [re.match(r"memory (\w+) (\w+) 1$", line) for line in m.all_lines()]
    starts = [int(r.group(1), 16) for r in ranges if r]
    if 1 << 32 not in starts:
        raise Failed(f"no RAM at 4 GiB: {starts}")


def test_smoke_serial_file(place):
    out = place.path("serial")
    m = place.machine("smoke", serial="file:" + out)
    m.wait_exit(0)
    with open(out, encoding="utf-8") as f:
        expect("last line", "PASS smoke", f.read().splitlines()[-1])


def test_smoke_serial_socket(place):
    path = os.path.join(place.folder, "serial")
    m = place.machine("idle", serial="unix:" + path)
    m.call("status")
    # History reaches those who come late too.
    time.sleep(0.3)
    for _ in range(2):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10 * place.slow)
            s.connect(path)
            got = b""
            while b"STEP idle" not in got:
                more = s.recv(4096)
                if not more:
                    raise Failed(f"the serial socket closed after {got!r}")
                got += more
    m.call("quit")
    m.wait_exit(0)


def test_smoke_serial_none(place):
    m = place.machine("smoke", serial="none")
    m.wait_exit(0)


def test_smp(place):
    for cpus in (2, 8):
        place.machine("smp", append=f"cpus={cpus}", cpus=cpus).finish("smp")


def test_reset(place):
    for how in ("cf9", "i8042", "fadt"):
        m = place.machine("reset", append="how=" + how)
        m.finish("reset")
        if "second boot" not in m.all_lines():
            raise Failed(f"{how}: no second boot")


def test_reset_of_many_cpus(place):
    place.machine("reset", append="cpus=4", cpus=4).finish("reset")


def test_reset_by_control(place):
    m = place.machine("idle")
    m.step("idle")
    m.call("reset")
    wait_for("second boot", lambda: m.all_lines().count("STEP idle") == 2, 10 * place.slow)
    m.call("quit")
    m.wait_exit(0)


def test_power_button(place):
    m = place.machine("poweroff")
    m.step("button")
    m.call("powerdown")
    m.finish("poweroff")


def test_power_button_unheard(place):
    m = place.machine("idle")
    m.step("idle")
    answer = m.call_raw("powerdown")
    if "error" not in answer:
        raise Failed("powerdown says that a guest heard it that does not listen")
    m.call("quit")
    m.wait_exit(0)


def test_triple_fault(place):
    m = place.machine("triplefault")
    m.wait_exit(1)
    log = m.log().decode()
    for what in ("feedfacecafef00d", "rip", "0f 0b"):  # rbx, and the bytes of ud2
        if what not in log.lower():
            raise Failed(f"no {what!r} in the message:\n{log}")


def test_pause_and_resume(place):
    m = place.machine("rng", append="rounds=4000")
    m.wait_line("rounds")
    m.call("pause")
    expect("state", "paused", m.call("status")["state"])
    m.call("resume")
    m.finish("rng")


def test_end_by_signal(place):
    m = place.machine("idle")
    m.step("idle")
    m.process.terminate()
    m.wait_exit(0)


def test_idle_wakes_nobody(place):
    m = place.machine("idle")
    m.step("idle")
    pid = m.process.pid
    time.sleep(0.5)

    def switches():
        total = {}
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as f:
                text = f.read()
            name = re.search(r"^Name:\t(.*)$", text, re.M).group(1)
            total[name + " " + task] = int(re.search(r"^voluntary_ctxt_switches:\t(\d+)$", text, re.M).group(1))
        return total

    before = switches()
    time.sleep(3)
    after = switches()
    woken = {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}
    if os.path.basename(place.build) == "tsan":
        woken = {}  # the sanitizer has a thread of its own
    if sum(woken.values()) > 3:
        raise Failed(f"wake-ups in 3 s: {woken}")
    m.call("quit")
    m.wait_exit(0)


# ---- rng, disk, net ----


def test_rng(place):
    place.machine("rng").finish("rng")


def make_disk(place, name, sectors=SECTORS):
    path = place.path(name)
    with open(path, "wb") as f:
        f.write(struct.pack(f"<{sectors * 64}Q", *range(sectors * 64)))
    return path


def read_words(path):
    with open(path, "rb") as f:
        data = f.read()
    return struct.unpack(f"<{len(data) // 8}Q", data)


def expect_sectors(words, first, last, value, what):
    for i in range(first * 64, (last + 1) * 64):
        if words[i] != value(i):
            raise Failed(f"{what}: sector {i // 64}, word {i % 64} is {words[i]:#x}, not {value(i):#x}")


def test_disk(place):
    path = make_disk(place, "disk.raw")
    m = place.machine("disk", "--disk", f"path={path},format=raw,serial=HELLO-1")
    m.finish("disk")
    if not any(line.startswith('serial "HELLO-1"') for line in m.all_lines()):
        raise Failed("the serial number did not arrive")
    words = read_words(path)
    expect_sectors(words, 0, 15, lambda i: i, "untouched")
    expect_sectors(words, 16, 31, lambda i: i ^ (1 << 64) - 1, "written")
    expect_sectors(words, 32, 63, lambda i: i, "untouched")
    expect_sectors(words, 128, 191, lambda i: 0, "zeroed")
    expect_sectors(words, 192, SECTORS - 1, lambda i: i, "untouched")


def test_disk_readonly(place):
    path = make_disk(place, "disk.raw")
    os.chmod(path, 0o444)
    m = place.machine("disk", "--disk", f"path={path},format=raw,readonly=on", append="mode=ro")
    m.finish("disk")
    expect_sectors(read_words(path), 0, SECTORS - 1, lambda i: i, "untouched")


def test_disk_snapshot(place):
    path = make_disk(place, "disk.raw")
    os.chmod(path, 0o444)
    place.machine("disk", "--disk", f"path={path},format=raw,snapshot=on").finish("disk")
    expect_sectors(read_words(path), 0, SECTORS - 1, lambda i: i, "untouched")


def test_disk_second(place):
    first = make_disk(place, "first.raw", 8)
    second = make_disk(place, "second.raw")
    m = place.machine("disk", "--disk", f"path={first},format=raw", "--disk", f"path={second},format=raw",
                      append="disk=1")
    m.finish("disk")
    expect_sectors(read_words(first), 0, 7, lambda i: i, "untouched")


def test_net(place):
    m = place.machine("net", net="user")
    m.finish("net")
    expect("num_buffers", True, "num_buffers 1" in m.all_lines())


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def test_net_forward(place):
    port = free_port(socket.SOCK_DGRAM)
    # What comes from 127.0.0.1 can be answered only where the guest may reach that.
    m = place.machine("net", net=f"user,hostfwd=udp:127.0.0.1:{port}-:7,loopback=on", append="udp=1")
    m.step("echo")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(10 * place.slow)
        s.sendto(b"over and back", ("127.0.0.1", port))
        expect("echo", b"over and back", s.recv(100))
    m.step("echoed")
    m.proceed()
    m.finish("net")


# ---- gpu ----


def pattern(x, y, seed):
    return (seed + x * PATTERN_X + y * PATTERN_Y & 0xffffff).to_bytes(3, "big")


def expect_pixels(shot, size, value, what):
    width, height, rows = shot
    expect(f"{what}: size", size, (width, height))
    for y in range(height):
        for x in range(width):
            got, wanted = rows[y][3 * x:3 * x + 3], value(x, y)
            if got != wanted:
                raise Failed(f"{what}: pixel {x},{y} is {got.hex()}, not {wanted.hex()}")


def test_gpu(place):
    m = place.machine("gpu", "--display", "160x120")
    size = (160, 120)
    m.step("2d")
    expect("size line", True, "size 160 120" in m.all_lines() and "edid 160 120" in m.all_lines())
    expect_pixels(m.screenshot(), size, lambda x, y: pattern(x, y, 0x112233), "2d")
    m.proceed()
    m.step("part")

    def part(x, y):
        inside = 21 <= x < 54 and 9 <= y < 26
        return pattern(x, y, 0xabcdef if inside else 0x112233)

    expect_pixels(m.screenshot(), size, part, "part")
    m.proceed()
    m.step("blob")
    expect_pixels(m.screenshot(), size, lambda x, y: pattern(x, y, 0x445566), "blob")
    m.proceed()

    def with_cursor(left, top):
        def value(x, y):
            if left <= x < left + 64 and top <= y < top + 32:
                return b"\xff\0\0"
            return pattern(x, y, 0x445566)
        return value

    m.step("cursor")
    expect_pixels(m.screenshot(cursor=True), size, with_cursor(10, 20), "cursor")
    expect_pixels(m.screenshot(cursor=False), size, lambda x, y: pattern(x, y, 0x445566), "no cursor")
    m.proceed()
    m.step("moved")
    expect_pixels(m.screenshot(cursor=True), size, with_cursor(60, 30), "moved cursor")
    m.proceed()
    m.step("resize")
    m.call("resize", width=200, height=96)
    m.step("resized")
    expect("new size", True, "size 200 96" in m.all_lines() and "edid 200 96" in m.all_lines())
    expect_pixels(m.screenshot(cursor=False), (200, 96), lambda x, y: pattern(x, y, 0x778899), "resized")
    m.proceed()
    m.step("off")
    answer = m.call_raw("screenshot")
    if "result" in answer:
        shot = m.screenshot(cursor=False)
        if any(any(row) for row in shot[2]):
            raise Failed("a disabled screen still shows a picture")
    m.proceed()
    m.finish("gpu")


def test_gpu_heads(place):
    m = place.machine("gpu", "--display", "160x120,heads=3")
    m.step("2d")
    m.proceed()
    m.step("heads")
    for head in range(3):
        expect_pixels(m.screenshot(head=head), (160, 120), lambda x, y: pattern(x, y, 0x112233),
                      f"head {head}")
    m.proceed()
    m.step("part")
    for head in (1, 2):
        answer = m.call_raw("screenshot", {"head": head})
        if "result" in answer and any(any(row) for row in m.screenshot(head=head)[2]):
            raise Failed(f"head {head} is off and still shows a picture")
    m.call("quit")
    m.wait_exit(0)


def test_gpu_reset_while_shown(place):
    m = place.machine("gpu", "--display", "160x120")
    m.step("2d")
    m.call("reset")
    wait_for("second boot", lambda: m.all_lines().count("STEP 2d") == 2, 10 * place.slow)
    expect_pixels(m.screenshot(), (160, 120), lambda x, y: pattern(x, y, 0x112233), "after reset")
    m.call("quit")
    m.wait_exit(0)


# ---- input ----

EV_SYN, EV_KEY, EV_REL, EV_ABS = 0, 1, 2, 3


def events(m, device):
    found = []
    for line in m.all_lines():
        match = re.match(rf"event {device} (\d+) (\d+) (-?\d+)$", line)
        if match:
            found.append(tuple(int(g) for g in match.groups()))
    return found


def keys(m):
    return [(code, value) for kind, code, value in events(m, "keyboard") if kind == EV_KEY]


def press_end(m):
    """The guest's last event. It may be gone before the answer."""
    m.call_raw("key", {"keys": ["end"]})


def test_input(place):
    m = place.machine("input", "--display", "160x120")
    m.step("listening")
    for line in ("^keyboard ", "^tablet ", "^mouse ", "^abs 0 to 32767$"):
        m.wait_line(line)
    m.call("key", keys=["ctrl", "alt", "delete"])
    m.call("key", keys=["a"], action="down")
    m.call("key", keys=["a"], action="up")
    m.call("type", text="Hi!")
    m.call("pointer", button="left", action="down")
    m.call("pointer", button="left", action="up")
    m.call("pointer", wheel=1)
    press_end(m)
    m.finish("input")
    # Ctrl 29, Alt 56, Delete 111; A 30; then "Hi!" with Shift 42, H 35, I 23 and 1 2
    chord = [(29, 1), (56, 1), (111, 1), (111, 0), (56, 0), (29, 0)]
    typed = [(42, 1), *click(35), (42, 0), *click(23), (42, 1), *click(2), (42, 0)]
    expect("keys", [*chord, *click(30), *typed, *click(107)], keys(m))
    tablet = events(m, "tablet")
    if (EV_KEY, 272, 1) not in tablet or (EV_KEY, 272, 0) not in tablet:
        raise Failed(f"no BTN_LEFT in {tablet}")
    if (EV_REL, 8, 1) not in tablet or (EV_REL, 11, 120) not in tablet:
        raise Failed(f"no wheel in {tablet}")
    for device in ("keyboard", "tablet"):
        expect(f"{device}: last event", EV_SYN, events(m, device)[-1][0])


def click(code):
    return (code, 1), (code, 0)


def test_input_with_caps_lock(place):
    """The guest has lit it, so it is the small letter that needs Shift."""
    m = place.machine("input", append="led=1")
    m.step("listening")
    m.call("type", text="Hi!")
    press_end(m)
    m.finish("input")
    expect("keys", [*click(35), (42, 1), *click(23), *click(2), (42, 0), *click(107)], keys(m))


def test_input_pointer(place):
    """A position needs a screen to mean anything."""
    m = place.machine("input", "--display", "160x120", append="screen=1")
    m.step("listening")
    for x, y in ((0, 0), (159, 119), (80, 60)):
        m.call("pointer", x=x, y=y)
        time.sleep(0.1)
    press_end(m)
    m.finish("input")
    places = [(code, value) for kind, code, value in events(m, "tablet") if kind == EV_ABS]
    xs = [value for code, value in places if code == 0]
    ys = [value for code, value in places if code == 1]
    expect("corners of x", (0, 32767), (min(xs), max(xs)))
    expect("corners of y", (0, 32767), (min(ys), max(ys)))
    if abs(xs[-1] - 80 * 32767 // 159) > 110 or abs(ys[-1] - 60 * 32767 // 119) > 140:
        raise Failed(f"the middle is {xs[-1]}, {ys[-1]}")


# ---- VNC ----


def vnc(place, m, path):
    m.call("status")  # the socket is there by now
    return rfb.Client(path, 10 * place.slow)


def test_vnc_shows(place):
    path = os.path.join(place.folder, "vnc")
    m = place.machine("gpu", "--display", "160x120", "--vnc", "unix:" + path, "--name", "picture")
    m.step("2d")
    first = vnc(place, m, path)
    if "picture" not in first.name:
        raise Failed(f"VNC: the desktop is called {first.name!r}")
    expect_pixels(first.picture(), (160, 120), lambda x, y: pattern(x, y, 0x112233), "VNC")
    second = vnc(place, m, path)
    m.proceed()
    m.step("part")

    def part(x, y):
        inside = 21 <= x < 54 and 9 <= y < 26
        return pattern(x, y, 0xabcdef if inside else 0x112233)

    for client in (first, second):
        expect_pixels(client.picture(), (160, 120), part, "VNC, part")
        client.close()
    m.call("quit")
    m.wait_exit(0)


def test_vnc_input(place):
    path = os.path.join(place.folder, "vnc")
    m = place.machine("input", "--display", "160x120", "--vnc", "unix:" + path, append="screen=1")
    m.step("listening")
    c = vnc(place, m, path)
    c.picture()
    for keysym in (ord("x"), 0xffe1):  # Shift_L stays down, and its user hangs up
        c.key(keysym, 1)
    c.key(ord("x"), 0)
    c.pointer(159, 119, 1)
    m.wait_line(r"^event tablet 3 0 32767$")
    m.wait_line(r"^event keyboard 1 42 1$")
    c.close()
    m.wait_line(r"^event keyboard 1 42 0$")
    m.wait_line(r"^event tablet 1 272 0$")
    c = vnc(place, m, path)
    c.key(rfb.XK_END, 1)
    c.key(rfb.XK_END, 0)
    m.finish("input")
    c.close()
    expect("keys", [(45, 1), (42, 1), (45, 0), (42, 0), *click(107)], keys(m))


# ---- the command that people use ----


def test_hotdesk_vm(place):
    m = place.machine("gpu", "--display", "160x120")
    m.step("2d")
    program = os.path.join(place.build, "hotdesk")

    def vm(*args):
        return subprocess.run([program, "vm", m.control_path, *args], stdin=subprocess.DEVNULL,
                              capture_output=True, env=place.environment(), timeout=20 * place.slow,
                              check=False, cwd=place.folder)

    status = vm("status")
    expect("status", 0, status.returncode)
    if b"running" not in status.stdout:
        raise Failed(f"status: {status.stdout!r}")
    wrong = vm("no-such-method")
    if wrong.returncode not in (1, 2) or len(wrong.stderr.splitlines()) != 1:
        raise Failed(f"unknown method: status {wrong.returncode}, {wrong.stderr!r}")
    expect("quit", 0, vm("quit").returncode)
    m.wait_exit(0)
    gone = vm("status")
    expect("status of nobody", 1, gone.returncode)
    expect("lines about nobody", 1, len(gone.stderr.splitlines()))
