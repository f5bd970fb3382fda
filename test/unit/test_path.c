/* session/path.h: paths as names of sessions, and the links that lie there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/scope.h"
#include "session/path.h"
#include "session/session.h"

static char *
name_for(const char *path)
{
	char *name = NULL;

	assert_int_equal(path_name(path, &name), 0);
	assert_int_equal(session_check_name(name, NULL), 0);
	return name;
}

static void
a_path_and_its_name_lead_to_each_other(void **state)
{
	static const char *const paths[] = { "/tmp/x", "/x", "/tmp/a b@7",
		"/tmp/\xe2\x82\xac", "/tmp/@" };
	size_t i;

	(void)state;
	for (i = 0; i < N_ELEMENTS(paths); i++) {
		autofree char *name = name_for(paths[i]);
		autofree char *path = path_of(name);

		assert_string_equal(path, paths[i]);
	}
	assert_null(path_of("tmp/x"));
	assert_null(path_of(""));
}

static void
many_ways_to_a_place_are_one_name(void **state)
{
	autofree char *a = name_for("/tmp/x"), *b = name_for("/tmp/../tmp/./x"),
		      *c = NULL;

	(void)state;
	assert_string_equal(a, b);
	assert_int_equal(chdir("/tmp"), 0);
	c = name_for("x");
	assert_string_equal(a, c);
}

static void
what_can_be_no_socket_is_refused(void **state)
{
	char *name = NULL;

	(void)state;
	assert_int_equal(path_name("", &name), -ENOENT);
	assert_int_equal(path_name("/nodir/x", &name), -ENOENT);
	assert_int_equal(path_name("/etc/passwd/x", &name), -ENOTDIR);
	assert_int_equal(path_name("/tmp/..", &name), -EADDRINUSE);
	assert_int_equal(path_name("/tmp/", &name), -EADDRINUSE);
	assert_int_equal(path_name("/tmp/a\nb", &name), -EINVAL);
	assert_null(name);
}

static void
only_links_of_sessions_are_replaced_and_removed(void **state)
{
	char dir[] = "/tmp/sess-path-XXXXXX", path[64];
	autofree char *name = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof path, "%s/x", dir);
	name = name_for(path);
	path_link(name, "/nowhere/old");
	assert_false(path_is_taken(name, "/nowhere/new"));
	path_link(name, "/nowhere/new");
	path_unlink(name, "/nowhere/old");
	assert_int_equal(unlink(path), 0);

	assert_int_equal(symlink(dir, path), 0);
	assert_true(path_is_taken(name, "/nowhere/new"));
	path_link(name, "/nowhere/new");
	path_unlink(name, "/nowhere/new");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_and_its_name_lead_to_each_other),
		cmocka_unit_test(many_ways_to_a_place_are_one_name),
		cmocka_unit_test(what_can_be_no_socket_is_refused),
		cmocka_unit_test(
		    only_links_of_sessions_are_replaced_and_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
