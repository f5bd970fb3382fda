/*
 * mqueues.c - a POSIX message queue with a message in it. To be refused: it
 * looks like a file.
 */
#include <fcntl.h>
#include <mqueue.h>

#include "test/victim/victim.h"

int
main(void)
{
	struct mq_attr attr = { .mq_maxmsg = 4, .mq_msgsize = 16 };
	char name[64], b[16];
	mqd_t q;

	victim_init();
	snprintf(name, sizeof name, "/sess-victim-%d", getpid());
	q = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0600, &attr);
	if (q < 0)
		victim_skip("mq_open: %s", strerror(errno));
	MUST(mq_unlink(name));
	MUST(mq_send(q, "message", 8, 3));
	victim_wait();
	EXPECT(mq_receive(q, b, sizeof b, NULL) == 8 && b[0] == 'm',
	    "the message is gone");
	victim_ok();
}
