/*
 * fuzz_image.c - images made by chance. Whatever the bytes: the reader says
 * yes or no, leaves its memory to nobody, and what it has said yes to can be
 * read to the end or is refused there.
 *
 *   clang -fsanitize=fuzzer  (make fuzz)         libFuzzer's main
 *   -DFUZZ_MAIN              prog SECONDS [SEED] its own mutations, any cc
 *                            prog -f FILE...     once through each file
 *
 * Most inputs would die at a checksum. The mutator therefore begins with
 * good images and mostly makes the checksums right again (forge.h).
 */
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/scope.h"
#include "ckpt/image/image.h"
#include "ckpt/image/image.pb-c.h"
#include "test/fuzz/forge.h"

#define FUZZ_CAP (64u << 10) /* bytes of an input */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap,
    unsigned seed);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Every record as every message that a reader takes for its own. */
static const ProtobufCMessageDescriptor *const messages[] = {
	&img__session__descriptor,
	&img__object__descriptor,
	&img__parent__descriptor,
	&img__machine__descriptor,
	&img__tree__descriptor,
	&img__task__descriptor,
	&img__thread__descriptor,
	&img__mm__descriptor,
	&img__mapped__descriptor,
	&img__shm__descriptor,
	&img__signals__descriptor,
	&img__timers__descriptor,
	&img__files__descriptor,
	&img__file__descriptor,
	&img__socket__descriptor,
};

static void
read_records(const struct image *img, enum image_tag tag)
{
	size_t n = image_count(img, tag);

	for (size_t i = 0; i < n && i < 8; i++)
		for (size_t m = 0; m < N_ELEMENTS(messages); m++) {
			uint64_t id;
			void *p, *q;

			p = image_get(img, tag, i, messages[m], &id, NULL);
			if (p == NULL)
				continue;
			q = image_find(img, tag, id, messages[m], NULL);
			if (q == NULL)
				abort();
			protobuf_c_message_free_unpacked(p, NULL);
			protobuf_c_message_free_unpacked(q, NULL);
		}
}

static void
read_pages(const struct image *img)
{
	uint8_t page[3 * IMAGE_PAGE];
	struct image_pages *c;
	uint64_t n = image_n_pages(img), off;
	size_t k;

	if (image_pages_open(img, &c, NULL) < 0)
		return;
	for (uint64_t i = 0; i < n; i += n / 7 + 1) {
		(void)image_read_pages(c, i, page, 3, NULL);
		if (image_locate_pages(c, i, n - i, &off, &k, NULL) == 0 &&
		    (k == 0 || off + k * IMAGE_PAGE > image_file_len(img)))
			abort();
	}
	(void)image_read_pages(c, n, page, 1, NULL);
	image_pages_close(c);
	if (n < 1u << 16)
		(void)image_verify_pages(img, NULL);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	autoclose int fd = forge_file(data, len);
	struct image *img;
	struct err e = { "" };
	int r;

	r = image_open_fd(fd, "fuzz", &img, &e);
	if (r < 0) {
		if (e.text[0] == 0)
			abort(); /* refused, and nobody is told why */
		return 0;
	}
	for (unsigned tag = 0; tag < 32; tag++)
		read_records(img, tag);
	read_pages(img);
	image_close(img);
	return 0;
}

/* Room for whole images: libFuzzer by itself stops at 4096 bytes. */
int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char **v = calloc((size_t)*argc + 3, sizeof *v);

	if (v == NULL)
		abort();
	memcpy(v, *argv, (size_t)*argc * sizeof *v);
	v[(*argc)++] = (char *)"-max_len=65536"; /* FUZZ_CAP */
	v[(*argc)++] = (char *)"-len_control=0";
	*argv = v;
	return 0;
}

/* ---- good images ---- */

static void
put_seed_records(struct image_writer *w)
{
	Img__Session s = IMG__SESSION__INIT;
	Img__Object o = IMG__OBJECT__INIT;
	Img__PageRun run = IMG__PAGE_RUN__INIT, *runs[] = { &run, &run };
	Img__Mm mm = IMG__MM__INIT;
	char *argv[] = { (char *)"vim", (char *)"a b" };

	s.name = (char *)"work";
	s.argv = argv;
	s.n_argv = 2;
	o.path = (char *)"/bin/vim";
	o.size = 77;
	run.n_pages = 3;
	mm.pages = runs;
	mm.n_pages = 2;
	if (image_put(w, IMG_SESSION, 0, &s.base, NULL) < 0 ||
	    image_put(w, IMG_OBJECT, 1, &o.base, NULL) < 0 ||
	    image_put(w, IMG_OBJECT, 2, &o.base, NULL) < 0 ||
	    image_put(w, IMG_MM, 100, &mm.base, NULL) < 0)
		abort();
}

/* A good image of up to 8 pages, or 261 compressed ones, by SEED. */
static size_t
make_seed(uint8_t *data, size_t cap, unsigned seed)
{
	char dir[] = "/tmp/sess-fuzz-XXXXXX", path[64];
	autobuf struct buf b = BUF_INIT(cap);
	autoclose int dirfd = -1;
	struct image_writer *w;
	static const size_t n_pages[] = { 0, 1, 8, 261 };
	size_t n = n_pages[seed % N_ELEMENTS(n_pages)];
	uint8_t *pages = calloc(n + 1, IMAGE_PAGE);
	uint64_t page;

	for (size_t i = 0; i < n * IMAGE_PAGE; i += 64)
		pages[i] = (uint8_t)(i >> 12);
	if (mkdtemp(dir) == NULL)
		abort();
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (image_create(dirfd, 1, n > 8 || seed & 4 ? 1 : 0, &w, NULL) < 0 ||
	    image_put_pages(w, pages, n * IMAGE_PAGE, &page, NULL) < 0)
		abort();
	put_seed_records(w);
	if (image_commit(w, &page, NULL) < 0 ||
	    io_read_file(dirfd, "1.sess", &b) < 0)
		abort();
	(void)snprintf(path, sizeof path, "%s/1.sess", dir);
	(void)unlink(path);
	(void)rmdir(dir);
	free(pages);
	memcpy(data, b.data, b.len);
	return b.len;
}

/* ---- mutations ---- */

static uint64_t
next(uint64_t *x)
{
	*x ^= *x << 13, *x ^= *x >> 7, *x ^= *x << 17; /* xorshift64 */
	return *x;
}

/* A place in the LEN bytes: often in the trailer, table or records. */
static size_t
pick(const uint8_t *data, size_t len, uint64_t *x)
{
	uint64_t off;

	if (len < HEAD_SIZE + TAIL_SIZE)
		return next(x) % len;
	off = get_u64(data + len - TAIL_SIZE + TAIL_RECORDS_OFF);
	switch (next(x) % 4) {
	case 0:
		return next(x) % 128;
	case 1:
		return len - 1 - next(x) % TAIL_SIZE;
	case 2:
		return off < len ? off + next(x) % (len - off) : len - 1;
	default:
		return next(x) % len;
	}
}

static void
change(uint8_t *data, size_t len, uint64_t *x)
{
	static const uint64_t odd[] = { 0, 1, 7, 8, 4095, 4096, 4097, 1u << 20,
		INT32_MAX, UINT32_MAX, (uint64_t)UINT32_MAX + 1, INT64_MAX,
		UINT64_MAX, UINT64_MAX - 4095 };
	size_t at = pick(data, len, x), n = 1u << next(x) % 4;

	at -= at % n;
	if (n > len - at)
		n = 1;
	switch (next(x) % 4) {
	case 0:
		data[at] ^= 1u << next(x) % 8;
		break;
	case 1:
		put_le(data + at, odd[next(x) % N_ELEMENTS(odd)], (int)n);
		break;
	case 2:
		put_le(data + at, get_le(data + at, (int)n) + next(x) % 33 - 16,
		    (int)n);
		break;
	default:
		put_le(data + at, next(x), (int)n);
		break;
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t cap, unsigned seed)
{
	uint64_t x = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;

	if (cap >= FUZZ_CAP && (len < HEAD_SIZE || next(&x) % 64 == 0))
		len = make_seed(data, cap, (unsigned)next(&x));
	if (len == 0)
		return 0;
	for (uint64_t n = next(&x) % 4 + 1; n > 0; n--)
		change(data, len, &x);
	if (next(&x) % 32 == 0)
		len -= next(&x) % len;
	if (next(&x) % 8 != 0)
		forge_seal(data, len);
	return len;
}

#ifdef FUZZ_MAIN
static int
fuzz_file(const char *path)
{
	autobuf struct buf b = BUF_INIT(1u << 30);

	if (io_read_file(AT_FDCWD, path, &b) < 0) {
		perror(path);
		return 1;
	}
	return LLVMFuzzerTestOneInput(b.data, b.len);
}

int
main(int argc, char *argv[])
{
	static uint8_t data[FUZZ_CAP];
	unsigned seed = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	time_t end = time(NULL) + (argc > 1 ? atoi(argv[1]) : 10);
	size_t len = 0, n = 0;
	int bad = 0;

	if (argc > 1 && strcmp(argv[1], "-f") == 0) {
		for (int i = 2; i < argc; i++)
			bad |= fuzz_file(argv[i]);
		return bad;
	}
	for (; time(NULL) < end; n++, seed++) {
		if (n % 8 == 0)
			len = make_seed(data, sizeof data, seed);
		len = LLVMFuzzerCustomMutator(data, len, sizeof data, seed);
		(void)LLVMFuzzerTestOneInput(data, len);
	}
	printf("fuzz_image: %zu images\n", n);
	return 0;
}
#endif
