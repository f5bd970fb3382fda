/*
 * fuzz_stream.c - streams of every kind arrive: each is refused with a
 * sentence and leaves nothing, or becomes a snapshot that can be removed.
 */
#include "ckpt/ckpt.h"
#include "test/fuzz/forge_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap,
    unsigned seed);

static struct forge *place(void);

static void
tidy(void)
{
	forge_done(place());
}

/* The places, and a stream to begin with; gone when the process ends. */
static struct forge *
place(void)
{
	static struct forge f;

	if (f.data == NULL) {
		f = forge_new();
		(void)atexit(tidy);
	}
	return &f;
}

static size_t
n_left(const struct forge *f)
{
	autoclose int objects = openat(f->to.fd, "objects",
	    O_RDONLY | O_CLOEXEC);

	return (size_t)(faccessat(f->to.fd, "w", F_OK, 0) == 0) +
	    (objects < 0 ? 0 : scratch_count(objects, ""));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct forge *f = place();
	struct err e = { "" };
	int r;

	r = forge_receive(f, data, len, NULL, &e);
	if (r < 0 && e.text[0] == 0)
		abort();
	if (r == 0 && ckpt_remove(f->to.fd, "w", 0, &e) < 0)
		abort();
	if (n_left(f) != 0)
		abort();
	return 0;
}

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

/* In the heads of stream and image more often than elsewhere. */
static size_t
pick(size_t len, uint64_t *x)
{
	static const size_t heads[] = { STREAM_HEAD_SIZE,
		STREAM_HEAD_SIZE + PART_HEAD_SIZE + 128 };
	size_t most = next(x) % 3;

	if (most < N_ELEMENTS(heads) && heads[most] < len)
		return next(x) % heads[most];
	return next(x) % len;
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned seed)
{
	static const uint64_t odd[] = { 0, 1, 2, 4096, INT32_MAX, UINT32_MAX,
		INT64_MAX, UINT64_MAX, UINT64_MAX - 64 };
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	struct forge *f = place();

	if (cap >= f->len && (len < STREAM_HEAD_SIZE || next(&x) % 32 == 0)) {
		memcpy(data, f->data, f->len);
		len = f->len;
	}
	for (uint64_t n = next(&x) % 3 + 1; len > 8 && n > 0; n--) {
		size_t at = pick(len - 7, &x);

		if (next(&x) % 2 == 0)
			data[at] ^= (uint8_t)(1u << next(&x) % 8);
		else
			put_u64(data + at, odd[next(&x) % N_ELEMENTS(odd)]);
	}
	if (len > 0 && next(&x) % 16 == 0)
		len -= next(&x) % len;
	if (next(&x) % 4 != 0)
		forge_stream_seal(data, len);
	return len;
}
