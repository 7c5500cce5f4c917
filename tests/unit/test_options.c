/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's command line: what is taken, and one line for everything that is not. */
#include "vmm/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <glib.h>

#include <cmocka.h>

#include "util/bytes.h"

static char last_line[2048];
static unsigned lines;

static void keep_line(void *opaque, enum log_level level, const char *line)
{
	lines++;
	g_strlcpy(last_line, line, sizeof last_line);
}

/* Parses words separated by '|', a kernel put before them unless they begin with '!'. */
static bool parse(struct vmm_options *o, const char *words, int *status)
{
	g_autofree char *text = *words == '!' ? g_strconcat("vmm", words + 1, NULL)
					      : g_strconcat("vmm|--kernel|k", words, NULL);
	g_auto(GStrv) argv = g_strsplit(text, "|", -1);
	bool ok;

	lines = 0;
	last_line[0] = 0;
	*status = -1;
	log_set_sink(keep_line, NULL);
	ok = options_parse(o, (int)g_strv_length(argv), argv, status);
	log_set_sink(NULL, NULL);
	return ok;
}

static void assert_refused(const char *words, const char *message)
{
	struct vmm_options o;
	int status;

	if (parse(&o, words, &status))
		fail_msg("%s was taken", words);
	if (lines != 1 || status != 2 || !strstr(last_line, message))
		fail_msg("%s: status %d, %u lines: %s", words, status, lines, last_line);
	options_finish(&o);
}

static void assert_taken(struct vmm_options *o, const char *words)
{
	int status;

	if (!parse(o, words, &status))
		fail_msg("%s: %s", words, last_line);
	assert_int_equal(lines, 0);
}

static void test_defaults(void **state)
{
	struct vmm_options o;

	assert_taken(&o, "");
	assert_string_equal(o.kernel, "k");
	assert_null(o.initrd);
	assert_string_equal(o.append, "");
	assert_int_equal(o.memory, 2 * GIB);
	assert_int_equal(o.cpus, 2);
	assert_string_equal(o.cpu, "host");
	assert_int_equal(o.net.kind, OPT_NET_USER);
	assert_int_equal(o.heads, 1);
	assert_null(o.vnc.path);
	assert_null(o.vnc.host);
	assert_null(o.control);
	assert_int_equal(o.serial, CONSOLE_NONE);
	assert_null(o.run_dir);
	assert_string_equal(o.keymap_layout, "us");
	options_finish(&o);
}

static void test_everything_at_once(void **state)
{
	struct vmm_options o;

	assert_taken(&o,
		"|--initrd=i|--append|a=b quiet|--memory|512m|--cpus|64|--cpu|./model|--name|d-1"
		"|--disk|path=a,,b,format=raw,readonly=on,serial=S1|--disk|format=raw,path=/c,snapshot=on"
		"|--net|user,hostfwd=tcp::2222-:22,hostfwd=udp:0.0.0.0:53-10.0.2.9:54,loopback=on"
		"|--display|1920x1080,heads=2|--vnc|[::1]:5901,password-file=p,,w|--keymap|de:nodeadkeys"
		"|--serial|file:log|--control|unix:/c|--run|/r|--cache|none|--log-level|debug"
		"|--audio|off|--usb|off");
	assert_string_equal(o.initrd, "i");
	assert_string_equal(o.append, "a=b quiet");
	assert_int_equal(o.memory, 512 * MIB);
	assert_int_equal(o.cpus, 64);
	assert_string_equal(o.cpu, "./model");
	assert_string_equal(o.name, "d-1");
	assert_int_equal(o.ndisks, 2);
	assert_string_equal(o.disks[0].path, "a,b");
	assert_true(o.disks[0].readonly);
	assert_false(o.disks[0].snapshot);
	assert_string_equal(o.disks[0].serial, "S1");
	assert_string_equal(o.disks[1].path, "/c");
	assert_true(o.disks[1].snapshot);
	assert_int_equal(o.net.nforwards, 2);
	assert_false(o.net.forwards[0].udp);
	assert_int_equal(ntohl(o.net.forwards[0].host.s_addr), INADDR_LOOPBACK);
	assert_int_equal(o.net.forwards[0].host_port, 2222);
	assert_int_equal(o.net.forwards[0].guest.s_addr, 0);
	assert_int_equal(o.net.forwards[0].guest_port, 22);
	assert_true(o.net.forwards[1].udp);
	assert_int_equal(o.net.forwards[1].host.s_addr, 0);
	assert_int_equal(ntohl(o.net.forwards[1].guest.s_addr), 0x0a000209);
	assert_true(o.net.loopback);
	assert_int_equal(o.width, 1920);
	assert_int_equal(o.height, 1080);
	assert_int_equal(o.heads, 2);
	assert_string_equal(o.vnc.host, "::1");
	assert_int_equal(o.vnc.port, 5901);
	assert_string_equal(o.vnc_password_file, "p,w");
	assert_string_equal(o.keymap_layout, "de");
	assert_string_equal(o.keymap_variant, "nodeadkeys");
	assert_int_equal(o.serial, CONSOLE_FILE);
	assert_string_equal(o.serial_path, "log");
	assert_string_equal(o.control, "/c");
	assert_string_equal(o.run_dir, "/r");
	assert_null(o.cache_dir);
	assert_int_equal(o.log_level, LOG_DEBUG);
	options_finish(&o);
}

static void test_the_last_of_two_counts(void **state)
{
	struct vmm_options o;

	assert_taken(&o,
		"|--vnc|[::1]:1,password-file=p|--vnc|unix:/v|--serial|file:x|--serial|stdio"
		"|--vnc|localhost:7");
	assert_null(o.vnc.path);
	assert_string_equal(o.vnc.host, "127.0.0.1");
	assert_null(o.vnc_password_file);
	assert_int_equal(o.serial, CONSOLE_STDIO);
	assert_null(o.serial_path);
	options_finish(&o);
}

static void test_every_refusal(void **state)
{
	static const struct {
		const char *words, *message;
	} cases[] = {
		{ "!", "--kernel: missing" },
		{ "|--kernel|", "--kernel : names no file" },
		{ "|stray", "stray: unexpected; options begin with --" },
		{ "|-m|512", "-m: unknown option; see --help" },
		{ "|--memroy|1G", "--memroy: unknown option; did you mean --memory" },
		{ "|--confg=x", "--confg: unknown option; did you mean --config" },
		{ "|--zzzzzzz", "--zzzzzzz: unknown option; see" },
		{ "|--", "--: unknown option" },
		{ "|--=x", "--: unknown option" },
		{ "|--memory", "--memory: needs a value" },
		{ "|--memory|--cpus|2", "--memory: needs a value" },
		{ "|--memory|12X", "--memory 12X: not a size; write 512M or 2G" },
		{ "|--memory|2048", "not a size" },
		{ "|--memory|2GB", "not a size" },
		{ "|--memory|-2G", "not a size" },
		{ "|--memory|G", "not a size" },
		{ "|--memory|99999999999999999999G", "not a size" },
		{ "|--memory|18446744073709551615T", "not within 16M and 4T" },
		{ "|--memory|5T", "not within" },
		{ "|--memory|1M", "not within" },
		{ "|--memory|33M", "not a multiple of 2M" },
		{ "|--cpus|0", "not a number from 1 to 64" },
		{ "|--cpus|65", "not a number" },
		{ "|--cpus|2x", "not a number" },
		{ "|--cpu|v4", "write host, v2, v3" },
		{ "|--cpu|", "write host" },
		{ "|--name|", "not a name" },
		{ "|--name|.x", "not a name" },
		{ "|--name|a b", "not a name" },
		{ "|--disk|path=a", "no format; add format=raw" },
		{ "|--disk|format=raw", "no path" },
		{ "|--disk|a.raw", "'a.raw' is not known here" },
		{ "|--disk|path=a,fromat=raw", "did you mean format" },
		{ "|--disk|path=a,format=vmdk", "format=vmdk: write format=raw" },
		{ "|--disk|path=a,format=qcow2", "qemu-img convert" },
		{ "|--disk|path=,format=raw", "'path' needs a value" },
		{ "|--disk|path=a,path=b,format=raw", "path= stands there twice" },
		{ "|--disk|path=a,format=raw,readonly=yes", "write readonly=on or readonly=off" },
		{ "|--disk|path=a,format=raw,snapshot=1", "write snapshot=on" },
		{ "|--disk|path=a,format=raw,serial=123456789012345678901", "up to 20" },
		{ "|--disk|path=a,format=raw,serial=a b", "printable" },
		{ "|--net|bridge", "not a network" },
		{ "|--net|none,loopback=on", "not a network" },
		{ "|--net|tap,ifname=t", "this version does not have it" },
		{ "|--net|user,loopback=maybe", "loopback=on or" },
		{ "|--net|user,hostfw=x", "did you mean hostfwd" },
		{ "|--net|user,hostfwd=2222-22", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=sctp::1-:2", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=tcp::1", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=tcp::0-:2", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=tcp::1-:65536", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=tcp:host:1-:2", "write hostfwd=tcp" },
		{ "|--net|user,hostfwd=tcp::1-guest:2", "write hostfwd=tcp" },
		{ "|--display|1280", "not a screen" },
		{ "|--display|axb", "not a screen" },
		{ "|--display|1280x800x2", "not a screen" },
		{ "|--display|8x800", "32 to 8192 pixels" },
		{ "|--display|1280x8193", "32 to 8192 pixels" },
		{ "|--display|1280x800,heads=5", "heads=5: 1 to 4" },
		{ "|--display|1280x800,heads", "'heads' needs a value" },
		{ "|--vnc|5900", "not a place to listen at" },
		{ "|--vnc|:5900", "not a place" },
		{ "|--vnc|127.0.0.1:0", "not a place" },
		{ "|--vnc|127.0.0.1:99999", "not a place" },
		{ "|--vnc|example.org:5900", "not a numeric address" },
		{ "|--vnc|[::g]:5900", "not a numeric address" },
		{ "|--vnc|::1:5900", "stands in brackets" },
		{ "|--vnc|unix:", "no path" },
		{ "|--vnc|unix:/v,password=x", "did you mean password-file" },
		{ "|--keymap|", "not a keyboard layout" },
		{ "|--keymap|de:", "not a keyboard layout" },
		{ "|--keymap|../x", "not a keyboard layout" },
		{ "|--serial|tty", "write stdio" },
		{ "|--serial|file:", "write stdio" },
		{ "|--serial|unix:", "no path" },
		{ "|--control|/c", "not a unix socket; write unix:PATH" },
		{ "|--run|", "names no file" },
		{ "|--cache|", "names no file" },
		{ "|--log-level|loud", "write error, warning" },
		{ "|--spice|unix:/s", "--spice: this version does not have it" },
		{ "|--sdl", "--sdl: this version does not have it" },
		{ "|--audio|hda", "this version does not have it" },
		{ "|--usb|on", "this version does not have it" },
		{ "|--usb-image|f", "this version" },
		{ "|--restore|d", "this version" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_refused(cases[i].words, cases[i].message);
}

static void test_limits_of_number_and_length(void **state)
{
	g_autofree char *longest = g_strnfill(4095, 'x'), *path = g_strnfill(107, 'p');
	g_autofree char *fits = g_strdup_printf("|--append|%s|--control|unix:%s", longest, path);
	g_autofree char *append = g_strdup_printf("|--append|%sx", longest);
	g_autofree char *control = g_strdup_printf("|--control|unix:%sp", path);
	g_autoptr(GString) disks = g_string_new(NULL), forwards = g_string_new("|--net|user");
	struct vmm_options o;

	assert_taken(&o, fits);
	options_finish(&o);
	assert_refused(append, "4096 bytes; a kernel's command line may have 4095");
	assert_refused(control, "108 bytes; a unix socket's path may have 107");
	for (int i = 0; i < PCI_DISKS_MAX; i++)
		g_string_append(disks, "|--disk|path=d,format=raw");
	assert_taken(&o, disks->str);
	assert_int_equal(o.ndisks, PCI_DISKS_MAX);
	options_finish(&o);
	g_string_append(disks, "|--disk|path=d,format=raw");
	assert_refused(disks->str, "more than 8 disks");
	for (int i = 0; i < OPTIONS_FORWARDS_MAX; i++)
		g_string_append(forwards, ",hostfwd=tcp::1-:1");
	assert_taken(&o, forwards->str);
	options_finish(&o);
	g_string_append(forwards, ",hostfwd=tcp::1-:1");
	assert_refused(forwards->str, "more than 16 ports");
}

/* ---- the config file ---- */

static char *config_file(const char *text)
{
	char *path = NULL;
	int fd = g_file_open_tmp("hotdesk-test-XXXXXX", &path, NULL);

	assert_true(fd >= 0);
	close(fd);
	assert_true(g_file_set_contents(path, text, -1, NULL));
	return path;
}

static void test_config_file_gives_way_to_the_command_line(void **state)
{
	g_autofree char *path = config_file("kernel: from-file\n"
					    "memory: 256M\n"
					    "cpus: 4\n"
					    "append: root=/dev/vda console=ttyS0\n"
					    "disk:\n"
					    "- path=a,format=raw\n"
					    "- path=b,format=raw,readonly=on\n"
					    "vnc: \"[::1]:5900\"\n");
	g_autofree char *alone = g_strdup_printf("!|--config|%s", path);
	g_autofree char *over =
		g_strdup_printf("!|--disk|path=c,format=raw|--cpus|3|--config=%s|--kernel|k", path);
	struct vmm_options o;

	assert_taken(&o, alone);
	assert_string_equal(o.kernel, "from-file");
	assert_int_equal(o.memory, 256 * MIB);
	assert_int_equal(o.cpus, 4);
	assert_string_equal(o.append, "root=/dev/vda console=ttyS0");
	assert_int_equal(o.ndisks, 2);
	assert_true(o.disks[1].readonly);
	assert_string_equal(o.vnc.host, "::1");
	options_finish(&o);

	assert_taken(&o, over);
	assert_string_equal(o.kernel, "k");
	assert_int_equal(o.memory, 256 * MIB);
	assert_int_equal(o.cpus, 3);
	assert_int_equal(o.ndisks, 1);
	assert_string_equal(o.disks[0].path, "c");
	assert_false(o.disks[0].readonly);
	options_finish(&o);
	unlink(path);
}

static void test_config_file_refusals(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
		{ "memory: 12X\n", ": memory: 12X: not a size" },
		{ "memroy: 2G\n", ": unknown key 'memroy'; did you mean memory" },
		{ "config: other\n", "unknown key 'config'" },
		{ "cpus: 2\nmemory: [1, 2]\n", ": line 2: Expecting STRING" },
		{ "disk: path=a\n", ": line 1: Expecting SEQUENCE" },
		{ "disk: [\"path=a\"]\n", ": disk: path=a: no format" },
		{ "- kernel\n", "Expecting MAPPING" },
		{ "kernel: &a b\ninitrd: *a\n", "alias" },
		{ "memory: 1G\nmemory: 2G\n", "already seen" },
		{ "kernel: [\n", "" },
		{ "kernel: \"\x01\"\n", "control characters" },
		{ "sdl: on\n", ": sdl: on: this version does not have it" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		g_autofree char *path = config_file(cases[i].text);
		g_autofree char *words = g_strdup_printf("|--config|%s", path);

		assert_refused(words, cases[i].message);
		unlink(path);
	}
}

static void test_config_file_that_cannot_be_read(void **state)
{
	static const char *const words[] = { "|--config|/nonexistent/x.yaml", "|--config|/",
		"|--config|/dev/zero" };
	struct vmm_options o;
	int status;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		assert_false(parse(&o, words[i], &status));
		assert_int_equal(status, 1);
		assert_int_equal(lines, 1);
		options_finish(&o);
	}
}

static void test_an_empty_config_file_says_nothing(void **state)
{
	g_autofree char *path = config_file("");
	g_autofree char *words = g_strdup_printf("|--config|%s", path);
	struct vmm_options o;

	assert_taken(&o, words);
	options_finish(&o);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_everything_at_once),
		cmocka_unit_test(test_the_last_of_two_counts),
		cmocka_unit_test(test_every_refusal),
		cmocka_unit_test(test_limits_of_number_and_length),
		cmocka_unit_test(test_config_file_gives_way_to_the_command_line),
		cmocka_unit_test(test_config_file_refusals),
		cmocka_unit_test(test_config_file_that_cannot_be_read),
		cmocka_unit_test(test_an_empty_config_file_says_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
