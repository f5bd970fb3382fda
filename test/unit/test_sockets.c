/*
 * Socket records made by chance, made again: whatever they say, the answer is
 * yes or a sentence, in bounded time, and nothing is touched but names below
 * the test's own directory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"
#include "ckpt/sockets/socket.h"
#include "test/unit/scratch.h"

#define N_IMAGES 400
#define N_SOCKETS 8 /* at most, in one image */

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17; /* xorshift64 */
	return *x;
}

/* One of N, and now and then something else altogether. */
static uint32_t
pick(uint64_t *x, const uint32_t *v, size_t n)
{
	return next(x) % 50 == 0 ? (uint32_t)next(x) : v[next(x) % n];
}

#define PICK(x, ...)                                 \
	pick((x), (const uint32_t[]){ __VA_ARGS__ }, \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t))

/* An address of the family, or of another, or none. */
static void
make_address(uint64_t *x, uint32_t domain, struct address *a)
{
	static const char *const names[] = { "a", "b", "c/d", "" };

	*a = (struct address){ .len = 0 };
	if (next(x) % 3 == 0)
		return;
	if (next(x) % 20 == 0)
		domain = PICK(x, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK);
	a->any.sa_family = (sa_family_t)domain;
	if (domain == AF_UNIX) {
		const char *name = names[next(x) % N_ELEMENTS(names)];
		bool abstract = next(x) % 2;

		(void)snprintf(a->un.sun_path + abstract, 100, "%s%s",
		    abstract ? "sess-test-sockets-" : "", name);
		a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    (unsigned)abstract + strlen(a->un.sun_path + abstract) +
		    !abstract);
	} else if (domain == AF_INET6) {
		a->len = sizeof a->in6;
		a->in6.sin6_addr = in6addr_loopback;
	} else if (domain == AF_INET) {
		a->len = sizeof a->in;
		a->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	} else {
		a->len = sizeof a->nl;
	}
	if (next(x) % 30 == 0)
		a->len = (socklen_t)(next(x) % sizeof a->room);
}

/* What one record points to. */
struct parts {
	struct address name, peer, from;
	uint64_t pending[2];
	Img__SocketData data[2], *datas[2];
	Img__SocketOption option, *options[1];
	uint8_t bytes[64];
};

/* Mostly sensible: of one kind in an image, connected in twos. */
static void
make_kind(uint64_t *x, size_t i, size_t n, uint64_t kind, Img__Socket *m)
{
	static const uint32_t domains[] = { AF_UNIX, AF_UNIX, AF_INET,
		AF_INET6 };
	static const uint32_t types[] = { SOCK_STREAM, SOCK_DGRAM,
		SOCK_SEQPACKET, SOCK_STREAM };
	uint64_t other = i ^ 1;

	m->domain = domains[kind % 4];
	m->type = types[m->domain == AF_UNIX ? kind / 4 % 4 : kind / 4 % 2];
	if (kind / 16 % 3 != 0 && other < n)
		m->peer = other + 1;
	else
		m->lone = next(x) % 2;
	m->listening = m->lone && m->type != SOCK_DGRAM && next(x) % 2;
	m->accepted = (kind / 48 + i) % 2;
	if (next(x) % 20 != 0)
		return;
	m->domain = PICK(x, AF_UNIX, AF_INET, AF_INET6, AF_NETLINK);
	m->type = PICK(x, SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET);
	m->protocol = PICK(x, 0, IPPROTO_TCP, IPPROTO_UDP);
	m->peer = next(x) % (n + 2);
	m->lone = next(x) % 2;
	m->listening = next(x) % 3 == 0;
}

static void
make_record(uint64_t *x, const char *dir, struct parts *p, Img__Socket *m)
{
	if (next(x) % 4 != 0)
		m->dir = (char *)dir;
	m->shut_read = next(x) % 4 == 0;
	m->shut_write = next(x) % 4 == 0;
	m->deleted = next(x) % 3 == 0;
	m->ending = PICK(x, 0, 1, 2, 3);
	m->backlog = (uint32_t)next(x) % 5;
	m->mode = (uint32_t)next(x);
	m->uid = geteuid();
	m->gid = getegid();
	m->send_buf = PICK(x, 0, 4608, 100000);
	m->locked = PICK(x, 0, 1, 2, 3);
	make_address(x, m->domain, &p->name);
	make_address(x, m->domain, &p->peer);
	make_address(x, m->domain, &p->from);
	m->name.data = (uint8_t *)&p->name.room;
	m->name.len = p->name.len;
	m->peer_name.data = (uint8_t *)&p->peer.room;
	m->peer_name.len = p->peer.len;
	m->n_pending = m->listening ? next(x) % 3 : 0;
	m->pending = p->pending;
	for (size_t i = 0; i < 2; i++) {
		p->pending[i] = next(x) % 16 == 0 ? next(x) % 9 : 0;
		img__socket_data__init(&p->data[i]);
		p->data[i].data.data = p->bytes;
		p->data[i].data.len = next(x) % sizeof p->bytes;
		p->data[i].from.data = (uint8_t *)&p->from.room;
		p->data[i].from.len = p->from.len;
		p->datas[i] = &p->data[i];
	}
	m->queue = p->datas;
	m->n_queue = next(x) % 3;
	img__socket_option__init(&p->option);
	p->option.level = PICK(x, SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP);
	p->option.name = (uint32_t)next(x) % 50;
	p->option.value.data = p->bytes;
	p->option.value.len = next(x) % sizeof p->bytes;
	p->options[0] = &p->option;
	m->options = p->options;
	m->n_options = next(x) % 2;
}

static void
write_image(const struct scratch *s, uint64_t *x)
{
	size_t n = next(x) % N_SOCKETS + 1;
	uint64_t kind = next(x);
	struct image_writer *w;
	uint64_t len;

	assert_return_code(image_create(s->fd, 1, 0, &w, NULL), 0);
	for (size_t i = 0; i < n; i++) {
		struct parts p = { .bytes = { 0 } };
		Img__Socket m;

		img__socket__init(&m);
		make_kind(x, i, n, kind, &m);
		make_record(x, s->path, &p, &m);
		assert_return_code(image_put(w, IMG_SOCKET, i + 1, &m.base,
				       NULL),
		    0);
	}
	assert_return_code(image_commit(w, &len, NULL), 0);
}

static int
n_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 1024; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static int
revive(int dirfd)
{
	struct err e = { "" };
	struct ckpt c = { .err = &e,
		.notes = BUF_INIT(1 << 16),
		.fd_base = 200,
		.fd_next = 200,
		.session_master = -1 };
	int r;

	assert_return_code(image_open(dirfd, 1, &c.img, NULL), 0);
	assert_non_null(files_get(&c));
	r = sockets_make(&c);
	if (r < 0)
		assert_string_not_equal(e.text, "");
	sockets_undo(&c);
	files_done(&c);
	image_close(c.img);
	buf_done(&c.notes);
	return r;
}

static void
records_made_by_chance_do_no_harm(void **state)
{
	autoscratch struct scratch s = scratch_new();
	int before = n_open(), n_good = 0;
	uint64_t x = 88172645463325252u;

	(void)state;
	assert_return_code(fchdir(s.fd), 0);
	for (int i = 0; i < N_IMAGES; i++) {
		write_image(&s, &x);
		n_good += revive(s.fd) >= 0;
		assert_return_code(unlinkat(s.fd, "1.sess", 0), 0);
		assert_int_equal(n_open(), before);
	}
	print_message("%d of %d revived\n", n_good, N_IMAGES);
	assert_in_range(n_good, 1, N_IMAGES - 1);
	assert_return_code(chdir("/"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_made_by_chance_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
