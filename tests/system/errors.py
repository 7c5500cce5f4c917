# SPDX-License-Identifier: GPL-2.0-or-later
"""Command lines that cannot work: one line that names the thing and the mend, and nothing stays."""

import fcntl
import os
import socket
import subprocess

from guests import make_disk
from machine import SANITIZER, Failed, expect


def refuse(place, args, status, *words, unshare=None, user=None):
    """Runs hotdesk-vmm, which must end at once with one line that has all the words."""
    command = [place.vmm(), *args]
    if unshare:
        command = ["unshare", "-m", "sh", "-c", unshare + ' && exec "$@"', "sh", *command]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20 * place.slow,
                          env=place.environment(), check=False, user=user,
                          **({"extra_groups": [], "group": user} if user else {}))
    text = done.stderr.decode("utf-8", "replace")
    if SANITIZER.search(done.stderr):
        raise Failed("a sanitizer reports:\n" + text)
    expect(f"exit status ({text.strip()})", status, done.returncode)
    expect(f"lines on standard error ({text.strip()})", 1, len(text.splitlines()))
    expect("standard output", b"", done.stdout)
    if not text.startswith("hotdesk-vmm: "):
        raise Failed(f"the line does not say who speaks: {text!r}")
    for word in words:
        if word not in text:
            raise Failed(f"no {word!r} in {text!r}")
    expect("leftovers", [], place.leftovers())


def base(place, **changes):
    options = {"kernel": place.guest("idle"), "memory": "64M", "cpus": "1", "net": "none",
               "run": place.folder, "cache": "none", "control": "unix:" + os.path.join(place.folder, "control")}
    options.update(changes)
    return [word for name, value in options.items() if value is not None for word in ("--" + name, value)]


def junk(place, name, data=b"this is no kernel at all\n" * 200):
    path = place.path(name)
    with open(path, "wb") as f:
        f.write(data)
    return path


# ---- usage: status 2 ----


def test_no_kernel_named(place):
    refuse(place, base(place, kernel=None), 2, "--kernel")


def test_unknown_option(place):
    refuse(place, ["--kernal", "x"], 2, "--kernal", "--kernel")
    refuse(place, ["--frobnicate"], 2, "--frobnicate", "--help")
    refuse(place, ["stray"], 2, "stray")


def test_bad_values(place):
    refuse(place, base(place, memory="lots"), 2, "--memory", "lots")
    refuse(place, base(place, cpus="65"), 2, "--cpus", "65")
    refuse(place, base(place, cpus="0"), 2, "--cpus")
    refuse(place, base(place, display="0x0"), 2, "--display")
    refuse(place, base(place, net="wifi"), 2, "--net")
    refuse(place, base(place, serial="com1"), 2, "--serial")
    refuse(place, base(place, disk="format=raw"), 2, "--disk")
    refuse(place, base(place, append="x" * 5000), 2, "--append")


def test_socket_path_too_long(place):
    long = os.path.join(place.folder, "x" * 120)
    refuse(place, base(place, control="unix:" + long), 2, "--control")
    refuse(place, base(place, vnc="unix:" + long), 2, "--vnc")
    refuse(place, base(place, serial="unix:" + long), 2, "--serial")


# ---- things that are not as they should be: status 1 ----


def test_missing_files(place):
    missing = os.path.join(place.folder, "missing")
    refuse(place, base(place, kernel=missing), 1, missing)
    refuse(place, base(place, initrd=missing), 1, missing)
    refuse(place, base(place, disk=f"path={missing},format=raw"), 1, missing)
    refuse(place, base(place, config=missing), 1, missing)
    refuse(place, base(place, run=missing), 1, missing)


def test_folders_for_files(place):
    refuse(place, base(place, kernel="/etc"), 1, "/etc")
    refuse(place, base(place, initrd="/etc"), 1, "/etc")
    refuse(place, base(place, disk="path=/etc,format=raw"), 1, "/etc")


def test_unreadable_files(place):
    """Root may read everything, so somebody else starts the monitor."""
    if os.geteuid() != 0:
        return
    secret = junk(place, "secret")
    os.chmod(secret, 0o600)
    os.chmod(place.folder, 0o777)
    program = place.path("hotdesk-vmm")
    with open(place.vmm(), "rb") as f:
        junk(place, "hotdesk-vmm", f.read())
    os.chmod(program, 0o755)
    kernel = place.path("kernel")
    with open(place.guest("idle"), "rb") as f:
        junk(place, "kernel", f.read())
    os.chmod(kernel, 0o644)
    place.vmm = lambda: program
    nobody = 65534
    refuse(place, base(place, kernel=secret), 1, secret, "ermission", user=nobody)
    if os.stat("/dev/kvm").st_mode & 0o006 == 0:
        refuse(place, base(place, kernel=kernel), 1, "/dev/kvm", "kvm", user=nobody)


def test_no_kernel_at_all(place):
    refuse(place, base(place, kernel=junk(place, "text")), 1, "text")
    refuse(place, base(place, kernel=junk(place, "empty", b"")), 1, "empty")
    refuse(place, base(place, kernel=junk(place, "elf", b"\x7fELF" + b"\0" * 60)), 1, "elf")
    with open(place.vmm(), "rb") as f:
        program = f.read()
    refuse(place, base(place, kernel=junk(place, "program", program)), 1, "program")
    with open(place.guest("idle"), "rb") as f:
        guest = f.read()
    refuse(place, base(place, kernel=junk(place, "short", guest[:len(guest) // 3])), 1, "short")
    refuse(place, base(place, kernel="/dev/zero"), 1, "/dev/zero")


def test_too_much_memory(place):
    refuse(place, base(place, memory="1000G"), 1, "memory", "--memory")


def test_kernel_larger_than_memory(place):
    big = junk(place, "initrd", b"x" * (70 << 20))
    refuse(place, base(place, initrd=big), 1, "memory")


def test_disk_of_no_bytes(place):
    refuse(place, base(place, disk=f"path={junk(place, 'empty', b'')},format=raw"), 1, "empty")


def test_disk_locked(place):
    path = make_disk(place, "disk.raw", 64)
    m = place.machine("idle", "--disk", f"path={path},format=raw")
    m.step("idle")
    place.ours.add(os.path.basename(m.control_path))
    second = base(place, control="unix:" + os.path.join(place.folder, "second"))
    refuse(place, [*second, "--disk", f"path={path},format=raw"], 1, path, "another monitor")
    refuse(place, [*second, "--disk", f"path={path},format=raw,readonly=on"], 1, path, "another monitor")
    m.call("quit")
    m.wait_exit(0)
    place.ours.remove(os.path.basename(m.control_path))


def test_disk_shared_by_readers(place):
    path = make_disk(place, "disk.raw", 64)
    machines = [place.machine("idle", "--disk", f"path={path},format=raw,{how}") for how in
                ("readonly=on", "snapshot=on")]
    for m in machines:
        m.step("idle")
        place.ours.add(os.path.basename(m.control_path))
    refuse(place, [*base(place, control=None), "--disk", f"path={path},format=raw"], 1, path, "another monitor")
    for m in machines:
        place.ours.remove(os.path.basename(m.control_path))
        m.call("quit")
        m.wait_exit(0)


def test_address_in_use(place):
    with socket.socket(socket.AF_INET) as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        address = "127.0.0.1:%d" % s.getsockname()[1]
        refuse(place, base(place, vnc=address), 1, address)
        refuse(place, base(place, net=f"user,hostfwd=tcp:{address}-:22"), 1, address.split(":")[1])


def test_socket_in_use(place):
    path = place.path("taken")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
        s.listen()
        refuse(place, base(place, control="unix:" + path), 1, path)
        refuse(place, base(place, vnc="unix:" + path), 1, path)
        refuse(place, base(place, serial="unix:" + path), 1, path)


def test_stale_socket_is_replaced(place):
    path = os.path.join(place.folder, "control0")
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)
    m = place.machine("smoke")
    m.finish("smoke")


def test_socket_is_a_file(place):
    path = junk(place, "file")
    refuse(place, base(place, control="unix:" + path), 1, path)
    with open(path, "rb") as f:
        expect("the file", True, f.read().startswith(b"this is"))


def test_password_file_missing(place):
    missing = os.path.join(place.folder, "missing")
    refuse(place, base(place, vnc=f"unix:{place.folder}/vnc,password-file={missing}"), 1, missing)


def test_kvm_absent(place):
    if os.geteuid() != 0:
        return
    refuse(place, base(place), 1, "/dev/kvm", unshare="mount -t tmpfs none /dev")


def test_kvm_is_something_else(place):
    if os.geteuid() != 0:
        return
    refuse(place, base(place), 1, "/dev/kvm", unshare="mount --bind /dev/null /dev/kvm")
