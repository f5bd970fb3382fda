/*
 * socket.h - one socket of the tree, as the files of this room see it. An int
 * is 0 or negative errno with a sentence in c->err, but where it says else.
 *
 *   sockets.c   which there are, and what is recorded of each
 *   peers.c     which is at the other end of which (diag.c asks the kernel)
 *   address.c   addresses, compared and told to a person
 *   names.c     names of UNIX sockets in the file system
 *   options.c   what setsockopt(2) has set
 *   queue.c     what waits in one
 *   tcp.c       what TCP says of a connection
 *   revive.c    the order in which all are made again
 *   connect.c   connections made again, both ends or one
 *   datagram.c  datagram sockets filled and connected again
 */
#ifndef CKPT_SOCKETS_SOCKET_H
#define CKPT_SOCKETS_SOCKET_H

#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ckpt/sockets/diag.h"
#include "ckpt/sockets/sockets.h"

/* How a connection ends whose other end is outside the tree, or gone. */
enum ending {
	ENDING_NONE,
	ENDING_EOF,   /* end of file, and EPIPE or a reset to a writer */
	ENDING_RESET, /* ECONNRESET */
	ENDING_OVER,  /* it had ended before, and the program has been told */
};

/* An address as the kernel gives and takes it. */
struct address {
	union {
		struct sockaddr any;
		struct sockaddr_un un;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_nl nl;
		struct sockaddr_storage room;
	};
	socklen_t len; /* 0: none */
};

struct sock {
	Img__Socket rec; /* save: what is recorded; its strings are owned */
	Img__SocketData *queue; /* save: owned, with the data of each */
	Img__SocketData **ptrs; /* save: owned */
	size_t cap;
	uint64_t *pending; /* save: owned */

	/* Save: a descriptor of it, and what is asked about it. */
	struct task *task;
	int fd_in_task;
	uint64_t ino;
	uint32_t state; /* TCP: enum tcp_state */
	struct address name, peer;

	/* Revival. */
	Img__Socket *m; /* of the image; owned */
	int fd;         /* -1: not made yet */
	char *made;     /* the name made in the file system; owned */
};

/* A socket as socket(2) gives it: what its options are when nobody set any. */
struct fresh {
	uint32_t domain, type, protocol;
	int fd;
};

#define N_FRESH 16

struct sockets {
	struct sock *v; /* id = index + 1; owned */
	size_t n, cap;
	struct diag diag;            /* save */
	struct fresh fresh[N_FRESH]; /* the first n_fresh are there */
	size_t n_fresh;
};

/* ---- sockets.c ---- */

/* A new one, the last; NULL: no memory, told. */
struct sock *sock_new(struct ckpt *c);

/* A fresh socket of the kind of M, kept for the next to ask; or -1. */
int sockets_fresh(struct sockets *ss, const Img__Socket *m);

bool sock_is_inet(const Img__Socket *m);   /* IPv4 or IPv6 */
bool sock_is_stream(const Img__Socket *m); /* it can listen */
bool sock_is_tcp(const Img__Socket *m);

/* ---- address.c ---- */

/* getsockname(2) or getpeername(2) of FD; len 0: it has none. */
void address_own(int fd, struct address *ret_a);
void address_peer(int fd, struct address *ret_a);
/* From a record; len 0 when absent. False: it makes no sense. */
bool address_load(const ProtobufCBinaryData *data, uint32_t domain,
    struct address *ret_a);
/* The same, whatever the family: an IPv4 address may be told as IPv6. */
bool address_equal(const struct address *a, const struct address *b);
/* Would A, of a listening socket, take a connection to B? */
bool address_takes(const struct address *a, const struct address *b);
unsigned address_port(const struct address *a); /* 0: none */
/* The same for a socket of DOMAIN; and the local one without a port. */
void address_for(const struct address *a, uint32_t domain,
    struct address *ret_a);
void address_set_port(struct address *a, uint16_t port);
void address_loopback(uint32_t domain, struct address *ret_a);
bool address_is_path(const struct address *a); /* of a UNIX socket */
/* For a person: "/run/x", "@abstract", "127.0.0.1 port 80". */
#define ADDRESS_TEXT 160
const char *address_text(const struct address *a, char ret_text[ADDRESS_TEXT]);

/* ---- peers.c ---- */

/*
 * Save, when all sockets are known: rec.peer, .accepted, .pending, .ending,
 * .lone and .peer_name of each, with notes about what will be cut off.
 */
int peers_find(struct ckpt *c);

/* ---- names.c ---- */

/* Save: where in the file system the name of S is. */
void name_find(struct ckpt *c, struct sock *s);

/*
 * Revival: bind S->fd to its name. -EADDRINUSE and the like: WHY, ERR_MAX
 * bytes, is the clause about it. 1: it could only have another one.
 */
int name_bind(struct ckpt *c, struct sock *s, char *ret_why);

/* Take away all names made, or those that had been removed at the save. */
void names_remove(struct sockets *ss, bool all);

/*
 * Bind FD to the free name A of somebody else, for a moment. -EADDRINUSE: it
 * is not free; other negative errno, without a sentence.
 */
int name_borrow(int fd, const struct address *a);
void name_return(const struct address *a);

/* ---- options.c ---- */

/* The number that option NAME of SOL_SOCKET is in FD; 0: it has none. */
uint32_t option_number(int fd, int name);

enum option_time { OPTIONS_EARLY, OPTIONS_LATE };

/* Save: those of FD, a descriptor of S, that a fresh socket has otherwise. */
int options_save(struct ckpt *c, struct sock *s, int fd);
/* Give FD the options of M: those that must come before bind(2), or all. */
void options_set(struct sockets *ss, const Img__Socket *m, int fd,
    enum option_time when);
/* What options_save() has put into M. */
void options_free(Img__Socket *m);
/* Buffers as large as they may be, for as long as queues are filled. */
void options_widen(int fd);

/* ---- queue.c ---- */

/* -check: what could not be saved of what waits in S. */
int queue_check(struct ckpt *c, const struct sock *s);
/* Save: what waits in S, without taking it. */
int queue_save(struct ckpt *c, struct sock *s, int fd);
/* What queue_save() has put into S. */
void queue_free(struct sock *s);
/* Revival: send all that waited in M through FROM, a socket connected to it. */
int queue_fill(struct ckpt *c, const Img__Socket *m, int from);

/* ---- tcp.c ---- */

/* Kernel: include/net/tcp_states.h */
enum tcp_state {
	TCP_ST_ESTABLISHED = 1,
	TCP_ST_SYN_SENT = 2,
	TCP_ST_FIN_WAIT1 = 4,
	TCP_ST_FIN_WAIT2 = 5,
	TCP_ST_TIME_WAIT = 6,
	TCP_ST_CLOSE = 7,
	TCP_ST_CLOSE_WAIT = 8,
	TCP_ST_LAST_ACK = 9,
	TCP_ST_LISTEN = 10,
	TCP_ST_CLOSING = 11,
};

/* An enum tcp_state; 0: FD is no TCP socket. */
uint32_t tcp_state(int fd);
/* Of a listening socket, as listen(2) set it; SOMAXCONN: not known. */
uint32_t tcp_backlog(int fd);
/* Bytes that went into FROM and have not arrived in TO; made to arrive. */
uint64_t tcp_undelivered(int from, int to);
/* Has FD, whose connection nobody has accepted yet, sent anything? */
bool tcp_has_sent(int fd);
/* Does a connection of OWN to PEER wait for accept(2) at the other end? */
bool tcp_is_unaccepted(const struct address *own, const struct address *peer);

/* ---- revive.c ---- */

/* The socket at the other end of S, or NULL: of a connection, or a pair. */
struct sock *sock_peer(struct sockets *ss, const struct sock *s);
int sock_make(struct ckpt *c, struct sock *s); /* S->fd, of the kind of S */
/* Shut S->fd down as S was, in one direction, both, or none. */
void sock_shut(const struct sock *s);

/* ---- connect.c ---- */

/*
 * Revival: connect S and its peer anew, or with one that goes at once, as
 * m->ending says.
 */
int connect_revive(struct ckpt *c, struct sock *s);
/* Connect S again, which waits for accept(2) in its peer, a listening one. */
int connect_pending(struct ckpt *c, struct sock *listener, struct sock *s);

/* ---- datagram.c ---- */

/* Revival: what waits in S, a bound one; who sent it shows again, if possible. */
int datagram_fill(struct ckpt *c, struct sock *s);
/* To whom S sends. */
int datagram_connect(struct ckpt *c, struct sock *s);

#endif
