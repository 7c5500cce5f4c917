/* SPDX-License-Identifier: GPL-2.0-or-later */
/* kvm_complete [DEVICE]: exit status 0 where KVM can run an unmodified kernel, else 1 and the reason. */
#include <stdio.h>

#include "cli/kvm_probe.h"

int main(int argc, char **argv)
{
	char why[256];

	if (argc > 2) {
		fprintf(stderr, "usage: kvm_complete [DEVICE]\n");
		return 2;
	}
	if (kvm_probe(argc == 2 ? argv[1] : "/dev/kvm", why, sizeof why)) {
		puts("KVM is complete");
		return 0;
	}
	puts(why);
	return 1;
}
