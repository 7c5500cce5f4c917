/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line of hotdesk-vmm as a plain struct.
 *
 * Values come from a --config file and then from the command line, which wins. Both go through
 * one table and one set of checks. Whatever can be checked without touching the system is checked
 * here: ranges, spellings, lengths of socket paths; opening is the users' work.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/log.h"
#include "vmm/layout.h"
#include "vmm/legacy/console.h"

enum {
	OPTIONS_CPUS_MAX = 64,
	OPTIONS_HEADS_MAX = 4,
	OPTIONS_FORWARDS_MAX = 16,
	OPTIONS_SERIAL_MAX = 20, /* bytes of a disk's serial number: virtio 1.2, 5.2.6 GET_ID */
};

/* Raw files and block devices. */
struct options_disk {
	char *path;
	bool readonly;
	bool snapshot;                       /* changes are thrown away at the end */
	char serial[OPTIONS_SERIAL_MAX + 1]; /* "" where none was given */
};

/* A port of the host that leads to one of the guest. Ports in host order. */
struct options_forward {
	bool udp;
	struct in_addr host, guest; /* guest 0.0.0.0: the address that DHCP gives out */
	uint16_t host_port, guest_port;
};

enum options_net_kind { OPT_NET_NONE, OPT_NET_USER };

struct options_net {
	enum options_net_kind kind;
	bool loopback; /* the guest may reach the host's own 127.0.0.1 */
	unsigned nforwards;
	struct options_forward forwards[OPTIONS_FORWARDS_MAX];
};

/* Where a server listens. */
struct options_endpoint {
	char *path; /* of a unix socket, short enough for sun_path; or NULL and: */
	char *host; /* a numeric address, IPv6 without brackets; NULL too: not asked for */
	uint16_t port;
};

struct vmm_options {
	char *name;            /* of the desktop, for messages and window titles */
	char *kernel, *initrd; /* initrd may be NULL */
	char *append;          /* the guest's command line; "" where none was given */
	uint64_t memory;       /* bytes, a multiple of 2 MiB */
	unsigned cpus;         /* 1 .. OPTIONS_CPUS_MAX */
	char *cpu;             /* "host", "v2", "v3" or a file's path */
	unsigned ndisks;
	struct options_disk disks[PCI_DISKS_MAX];
	struct options_net net;
	unsigned width, height, heads; /* the first head's size; every head gets it */
	struct options_endpoint vnc;
	char *vnc_password_file;              /* NULL: no password */
	char *keymap_layout, *keymap_variant; /* xkb names; variant "" where none was given */
	enum console_kind serial;
	char *serial_path; /* CONSOLE_FILE, CONSOLE_UNIX */
	char *control;     /* path of the control socket, or NULL */
	char *run_dir;     /* for the RAM file; NULL: where it is best */
	char *cache_dir;   /* for unpacked kernels; NULL: none is kept */
	enum log_level log_level;
};

/*
 * Fills o. True: go on with it. False: end with *status, which is 0 after --help and --version
 * (printed), 2 where the usage is wrong and 1 where the config file cannot be read (one line
 * logged). o is to be finished in every case.
 */
bool options_parse(struct vmm_options *o, int argc, char *const argv[], int *status);
void options_finish(struct vmm_options *o);
