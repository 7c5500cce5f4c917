/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A desktop's machine: the virtual machine, its devices in their slots, the loop that they run on,
 * and the way from power-on over pauses and resets to power-off.
 *
 *   service loop              machine loop                    vCPU threads
 *   machine_pause() ─ call ─► vm_stop() ─────── kick ───────► stand still
 *                             devices' resets  ◄── post ───── reset port, triple exits
 *   ended() ◄────── posts ─── power off, failure
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct display;
struct machine;
struct seat;
struct vmm_options;

/* Called on the machine loop or a vCPU thread: must only post. */
struct machine_events {
	/* The guest is gone: 0 after a power-off, 1 after a failure (logged). Once. */
	void (*ended)(void *opaque, int status);
	/* "reset", "paused", "resumed"; for whoever watches. */
	void (*changed)(void *opaque, const char *what);
	void *opaque;
};

enum machine_state { MACHINE_RUNNING, MACHINE_PAUSED, MACHINE_ENDED };

/*
 * Opens and makes everything that o names; display, seat and o outlive it. 0 or -errno with one
 * line logged and nothing left behind. Then machine_start() lets the guest run.
 */
int machine_create(struct machine **out, const struct vmm_options *o, struct display *display,
	struct seat *seat, const struct machine_events *events);
int machine_start(struct machine *m);

/* Ends vCPUs and loop; nothing calls into display, seat or events after it. */
void machine_stop(struct machine *m);
void machine_destroy(struct machine *m); /* stops it, in whatever state; NULL is fine */

/* Service loop. False where the guest has ended (or, for the button, does not listen). */
bool machine_pause(struct machine *m);
bool machine_resume(struct machine *m);
bool machine_reset(struct machine *m);
bool machine_power_button(struct machine *m);

/* Any thread. */
enum machine_state machine_state(const struct machine *m);

struct machine_disk_stats {
	const char *path;
	uint64_t read_bytes, written_bytes, errors;
};

/* Fills in up to max: how many disks there are. Service loop. */
unsigned machine_disk_stats(struct machine *m, struct machine_disk_stats *out, unsigned max);
