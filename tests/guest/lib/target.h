/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What hostile guests aim at: a device by its name, how to see that it works, and rules to break.
 *
 * A rule is run on a device in a known state. Then the device must be as the rule expects, another
 * device must not have noticed, and a reset must make it work again.
 */
#pragma once

#include "virtio.h"

struct target {
	const char *name;
	unsigned type, nth;
	uint64_t features;                /* to be asked for */
	void (*sanity)(struct target *t); /* started: does it work? */
	/*
	 * Makes a device look at a queue that it else reads only when it has something to say.
	 * NULL: it looks when it is kicked.
	 */
	void (*poke)(struct target *t);
	bool poked_from_outside; /* by the harness, where it says poke=1 */
	struct virtio v;
};

enum expect {
	EXPECT_BROKEN, /* NEEDS_RESET, and a config interrupt where the driver was live */
	EXPECT_FINE,
	EXPECT_ANY,
};

enum stage {
	STAGE_RESET,      /* ACKNOWLEDGE and DRIVER are set */
	STAGE_NEGOTIATED, /* FEATURES_OK too; rings made, not enabled */
	STAGE_LIVE,
};

enum queues {
	QUEUES_NONE,   /* no queue in particular: once */
	QUEUES_EACH,   /* once for each */
	QUEUES_EVENTS, /* the one of events, number 0 in each device that has one */
};

struct rule {
	const char *name;
	enum expect expect;
	enum stage stage;
	enum queues queues;
	uint64_t features; /* beside the target's; the rule is left out where one is not offered */
	void (*run)(struct target *t, struct vq *q);
};

/* The target that device= names. */
struct target *target_chosen(void);
/* By name, or NULL where the machine has none. */
struct target *target_find(const char *name);
/* Starts it and sees that it works. */
void target_revive(struct target *t);
/* All devices there are. */
void targets_revive(void);

void rules_run(struct target *t, const struct rule *rules, unsigned n);

/* Writes a descriptor, and makes a head available, without any care. */
void raw_desc(struct vq *q, unsigned i, uint64_t addr, uint32_t len, unsigned flags, unsigned next);
void raw_offer(struct vq *q, uint16_t head);
/* Reads or writes at this place, as r says; 8 bytes that are written are no address of RAM. */
void touch(volatile void *at, uint64_t r);
/* Where RAM below 4 GiB ends. */
uint64_t ram_end(void);
