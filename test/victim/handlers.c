/*
 * handlers.c - dispositions of all signals with their flags and masks, what
 * is ignored and blocked; saved inside a handler that runs on an alternate
 * stack, on top of an interrupted computation.
 */
#include "test/victim/victim.h"

#define SA_RESTORER_ 0x04000000 /* glibc's own, always */

static unsigned char altstack[64 * 1024];
static volatile sig_atomic_t n_calls;
static volatile bool on_stack;

static void
on_signal(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info, (void)context;
	n_calls++;
}

static void
on_plain(int sig)
{
	(void)sig;
	n_calls++;
}

/* What signal SIG gets here: a mix of everything that can be said. */
static void
choose(int sig, struct sigaction *sa)
{
	memset(sa, 0, sizeof *sa);
	switch (sig % 4) {
	case 0:
		sa->sa_handler = SIG_IGN;
		break;
	case 1:
		sa->sa_handler = SIG_DFL;
		break;
	case 2:
		sa->sa_sigaction = on_signal;
		sa->sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
		break;
	case 3:
		sa->sa_handler = on_plain;
		sa->sa_flags = sig % 8 == 3 ? SA_NODEFER : SA_NOCLDSTOP;
		break;
	}
	sigemptyset(&sa->sa_mask);
	sigaddset(&sa->sa_mask, SIGRTMIN + sig % 20);
}

static bool
is_ours(int sig)
{
	return sig != SIGKILL && sig != SIGSTOP && sig != SIGTERM &&
	    sig != SIGUSR1 && (sig < 32 || sig >= SIGRTMIN);
}

static void
verify_all(void)
{
	struct sigaction is, want;
	int sig;

	for (sig = 1; sig <= SIGRTMAX; sig++) {
		if (!is_ours(sig))
			continue;
		choose(sig, &want);
		MUST(sigaction(sig, NULL, &is));
		EXPECT(is.sa_handler == want.sa_handler, "signal %d: handler",
		    sig);
		is.sa_flags &= ~SA_RESTORER_;
		EXPECT(is.sa_flags == want.sa_flags, "signal %d: flags %#x",
		    sig, is.sa_flags);
		EXPECT(memcmp(&is.sa_mask, &want.sa_mask, 8) == 0,
		    "signal %d: mask", sig);
	}
}

/* Runs on the alternate stack, and lives there over the save. */
static void
on_usr1(int sig)
{
	unsigned char frame[8192];
	unsigned char *here = __builtin_frame_address(0);
	stack_t ss;

	victim_fill(frame, sizeof frame, (uint64_t)sig);
	EXPECT(here > altstack && here < altstack + sizeof altstack,
	    "the handler is not on the alternate stack");
	victim_wait();
	victim_compare(frame, sizeof frame, (uint64_t)sig, "handler's frame");
	MUST(sigaltstack(NULL, &ss));
	EXPECT(ss.ss_flags == SS_ONSTACK && ss.ss_sp == altstack,
	    "alternate stack: flags %#x", ss.ss_flags);
	on_stack = true;
}

static double
interrupted(void)
{
	double s = 0;
	int i;

	for (i = 1; i < 40000; i++) {
		s += 1.0 / i;
		if (i == 20000)
			MUST(raise(SIGUSR1));
	}
	return s;
}

static double
undisturbed(void)
{
	double s = 0;
	int i;

	for (i = 1; i < 40000; i++)
		s += 1.0 / i;
	return s;
}

int
main(void)
{
	stack_t ss = { .ss_sp = altstack, .ss_size = sizeof altstack };
	struct sigaction sa = { .sa_handler = on_usr1, .sa_flags = SA_ONSTACK };
	double want = undisturbed();
	int sig;

	victim_init();
	MUST(sigaltstack(&ss, NULL));
	for (sig = 1; sig <= SIGRTMAX; sig++)
		if (is_ours(sig)) {
			struct sigaction mine;

			choose(sig, &mine);
			MUST(sigaction(sig, &mine, NULL));
		}
	MUST(sigaction(SIGUSR1, &sa, NULL));
	EXPECT(interrupted() == want, "an interrupted sum came out otherwise");
	EXPECT(on_stack, "the handler did not end");
	verify_all();
	n_calls = 0;
	MUST(raise(SIGRTMIN + (2 + 4 - SIGRTMIN % 4) % 4));
	EXPECT(n_calls == 1, "a handler ran %d times", (int)n_calls);
	victim_ok();
}
