# The guest of tests/lab/devices: process 1's script (tests/lab/make-initrd). It judges what it can judge
# alone, a line "ok NAME" or "FAIL NAME why" each; then it does what it is told over the serial line,
# a command a line, each answered by its output and "=STATUS".

check() { # NAME COMMAND...: its output is the reason where it fails
	name=$1
	shift
	if why=$("$@" 2>&1); then echo "ok $name"; else echo "FAIL $name" $why; fi
}

# is WHAT WANTED GOT
is() { [ "$2" = "$3" ] || { echo "$1: expected '$2', got '$3'"; return 1; }; }

# DRIVER COUNT: so many virtio devices belong to that driver
drives() { is "devices of $1" "$2" "$(ls -d /sys/bus/virtio/drivers/"$1"/virtio* 2>/dev/null | wc -l)"; }

# Every virtio device is somebody's, and its interrupts are messages.
all_driven() {
	for d in /sys/bus/virtio/devices/*; do
		[ -e "$d/driver" ] || { echo "$(basename "$d") ($(cat "$d/device")) has no driver"; return 1; }
		grep -q "PCI-MSI.*$(basename "$d")-" /proc/interrupts || {
			echo "$(basename "$d") has no MSI-X interrupt"
			return 1
		}
	done
}

# What Linux says at level "warning" or above in a machine like this one where all is well:
ALLOWED='
microcode|Mitigation|Spectre|Speculative|RETBleed|MDS|TAA
AUX port disabled
Unstable clock detected|want to keep using the local clock|trace_clock=local|on the kernel command line
hrtimer: interrupt took
drm_plane_enable_fb_damage_clips\(\) not called
'
# - mitigations for which the (emulated) CPU has no microcode
# - there is no PS/2 mouse, just as ACPI says
# - where the host emulates all CPUs, their time stamps are none to rely on, and an interrupt takes long
# - virtio_gpu of Linux 6.1 does not announce that it takes damage, and does
no_warnings() {
	dmesg -r | sed -n 's/^<[0-4]>//p' | grep -vE "$(echo "$ALLOWED" | sed '/^$/d' | tr '\n' '|' | sed 's/|$//')" >/tmp/warnings
	[ -s /tmp/warnings ] || return 0
	head -n 5 /tmp/warnings
	return 1
}

time_is_right() { # the kernel took it from the clock; the outside judges whether that is right
	rtc=$(cat /sys/class/rtc/rtc0/since_epoch) now=$(date +%s)
	[ $((now - rtc)) -ge -2 ] && [ $((now - rtc)) -le 2 ] || { echo "RTC $rtc, system $now"; return 1; }
}

random() {
	is "source" virtio_rng.0 "$(cat /sys/class/misc/hw_random/rng_current)" || return
	dd if=/dev/hwrng of=/tmp/a bs=32 count=1 2>/dev/null && dd if=/dev/hwrng of=/tmp/b bs=32 count=1 2>/dev/null
	is "bytes" 32 "$(wc -c </tmp/a)" && ! cmp -s /tmp/a /tmp/b
}

vmgenid() { ls -d /sys/bus/acpi/drivers/vmgenid/*:* || { echo "no VMGenID device is driven"; return 1; }; }

button() { [ -e /sys/bus/acpi/drivers/button/LNXPWRBN:00 ] || [ -e /sys/bus/acpi/drivers/button/PNP0C0C:00 ]; }

stty -echo </dev/console
echo
check cpus-online is online 2 "$(nproc)"
check drivers all_driven
check virtio-gpu drives virtio_gpu 1
check virtio-input drives virtio_input 3
check virtio-blk drives virtio_blk 3
check virtio-net drives virtio_net 1
check virtio-rng drives virtio_rng 1
check clocksource is source kvm-clock "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
check rtc time_is_right
check hw-random random
check vmgenid vmgenid
check power-button button
check dmesg no_warnings
echo 'guest is up'
while read -r line; do
	eval "$line"
	echo "=$?"
done
