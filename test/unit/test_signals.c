/* test_signals.c - ckpt/process/signals.c between two processes. */
#include <pthread.h>
#include <sys/syscall.h>

#include "test/unit/puppet.h"

extern const struct resource res_signals;

static char stack[65536];

static void
handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
}

static int
block_all(void)
{
	sigset_t all;

	(void)sigfillset(&all);
	return sigprocmask(SIG_SETMASK, &all, NULL);
}

static int
send(pid_t tid, int sig, int code, int value)
{
	siginfo_t info;

	memset(&info, 0, sizeof info);
	info.si_signo = sig;
	info.si_code = code;
	info.si_pid = 4242;
	info.si_uid = 99;
	info.si_value.sival_int = value;
	if (tid == 0)
		return (int)syscall(SYS_rt_sigqueueinfo, getpid(), sig, &info);
	return (int)syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info);
}

/* ---- dispositions ---- */

static int
set_handlers(void)
{
	struct sigaction sa = { .sa_sigaction = handler,
		.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK };

	CHECK(block_all() == 0);
	(void)sigaddset(&sa.sa_mask, SIGUSR2);
	(void)sigaddset(&sa.sa_mask, SIGRTMAX);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(sigaction(SIGRTMAX, &sa, NULL) == 0);
	CHECK(signal(SIGHUP, SIG_IGN) != SIG_ERR);
	CHECK(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	return 0;
}

/* What is to be the default was something else. */
static int
set_other_handlers(void)
{
	CHECK(block_all() == 0);
	CHECK(signal(SIGTERM, SIG_IGN) != SIG_ERR);
	return 0;
}

static int
verify_handlers(void)
{
	struct sigaction sa;

	CHECK(sigaction(SIGUSR1, NULL, &sa) == 0);
	CHECK(sa.sa_sigaction == handler);
	CHECK((sa.sa_flags & ~0x04000000) ==
	    (SA_SIGINFO | SA_RESTART | SA_ONSTACK));
	CHECK(sigismember(&sa.sa_mask, SIGUSR2) == 1);
	CHECK(sigismember(&sa.sa_mask, SIGRTMAX) == 1);
	CHECK(sigismember(&sa.sa_mask, SIGINT) == 0);
	CHECK(sigaction(SIGRTMAX, NULL, &sa) == 0);
	CHECK(sa.sa_sigaction == handler);
	CHECK(sigaction(SIGHUP, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN);
	CHECK(sigaction(SIGCHLD, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN);
	CHECK(sigaction(SIGTERM, NULL, &sa) == 0 && sa.sa_handler == SIG_DFL);
	return 0;
}

static void
handlers_with_flags_and_masks_come_back(void **state)
{
	(void)state;
	round_trip(&res_signals, set_handlers, set_other_handlers,
	    verify_handlers, NULL);
}

/* ---- pending ---- */

static int
set_pending(void)
{
	CHECK(block_all() == 0);
	CHECK(signal(SIGCHLD, SIG_DFL) != SIG_ERR);
	CHECK(kill(getpid(), SIGURG) == 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECK(send(0, SIGRTMIN + 3, SI_QUEUE, 1) == 0);
	CHECK(send(0, SIGRTMIN + 3, SI_TIMER, 2) == 0);
	CHECK(send(0, SIGRTMIN + 3, SI_MESGQ, 3) == 0);
	CHECK(send(getpid(), SIGRTMIN + 3, SI_QUEUE, 4) == 0);
	CHECK(send(getpid(), SIGUSR2, SI_KERNEL, 0) == 0);
	return 0;
}

/* As after a revival: children have been stopped and have ended. */
static int
set_rubbish(void)
{
	CHECK(block_all() == 0);
	for (int i = 0; i < 30; i++)
		CHECK(send(0, SIGRTMIN + i, SI_QUEUE, 9) == 0);
	CHECK(kill(getpid(), SIGCHLD) == 0);
	CHECK(raise(SIGIO) == 0);
	return 0;
}

static int
next(siginfo_t *ret)
{
	const struct timespec now = { 0, 0 };
	sigset_t all;

	(void)sigfillset(&all);
	return sigtimedwait(&all, ret, &now);
}

static int
verify_pending(void)
{
	siginfo_t info;

	/* A thread's own come first, then the process's; low numbers first. */
	CHECK(next(&info) == SIGUSR2 && info.si_code == SI_KERNEL);
	CHECK(next(&info) == SIGRTMIN + 3 && info.si_value.sival_int == 4);
	CHECK(next(&info) == SIGUSR1 && info.si_code == SI_USER);
	CHECK(next(&info) == SIGURG && info.si_code == SI_USER);
	CHECK(next(&info) == SIGRTMIN + 3 && info.si_value.sival_int == 1);
	CHECK(info.si_pid == 4242 && info.si_uid == 99);
	CHECK(next(&info) == SIGRTMIN + 3 && info.si_value.sival_int == 2);
	CHECK(info.si_code == SI_TIMER);
	CHECK(next(&info) == SIGRTMIN + 3 && info.si_value.sival_int == 3);
	CHECK(info.si_code == SI_MESGQ);
	CHECK(next(&info) < 0 && errno == EAGAIN);
	return 0;
}

static void
pending_signals_come_back_alone_in_order_with_values(void **state)
{
	(void)state;
	round_trip(&res_signals, set_pending, set_rubbish, verify_pending,
	    NULL);
}

static int
set_many(void)
{
	CHECK(block_all() == 0);
	for (int i = 0; i < 1000; i++)
		CHECK(send(0, SIGRTMIN + 1, SI_QUEUE, i) == 0);
	return 0;
}

static int
verify_many(void)
{
	siginfo_t info;

	for (int i = 0; i < 1000; i++)
		CHECK(next(&info) == SIGRTMIN + 1 &&
		    info.si_value.sival_int == i);
	CHECK(next(&info) < 0);
	return 0;
}

static void
a_thousand_pending_signals_come_back(void **state)
{
	(void)state;
	round_trip(&res_signals, set_many, block_all, verify_many, NULL);
}

/* ---- threads ---- */

static pthread_t thread;
static pthread_barrier_t barrier;
static int thread_answer;

static void *
loaded_thread(void *arg)
{
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };
	pid_t tid = (pid_t)syscall(SYS_gettid);
	siginfo_t info;
	stack_t own;

	(void)sigaltstack(NULL, &own);
	if (arg != NULL &&
	    (sigaltstack(&ss, NULL) < 0 ||
		send(tid, SIGRTMIN + 5, SI_QUEUE, 55) < 0))
		_exit(101);
	(void)pthread_barrier_wait(&barrier);
	(void)pthread_barrier_wait(&barrier);
	thread_answer = !(next(&info) == SIGRTMIN + 5 &&
	    info.si_value.sival_int == 55 && next(&info) < 0 &&
	    sigaltstack(NULL, &ss) == 0 && ss.ss_sp == stack &&
	    ss.ss_size == sizeof stack && ss.ss_flags == 0);
	(void)sigaltstack(&own, NULL); /* a sanitizer wants to free its own */
	return NULL;
}

static int
start_thread(void *arg)
{
	CHECK(block_all() == 0);
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, loaded_thread, arg) == 0);
	(void)pthread_barrier_wait(&barrier);
	return 0;
}

static int
set_thread(void)
{
	return start_thread(&barrier);
}

static int
set_bare_thread(void)
{
	return start_thread(NULL);
}

static int
verify_thread(void)
{
	stack_t ss;

	CHECK(sigaltstack(NULL, &ss) == 0 && ss.ss_sp != stack);
	(void)pthread_barrier_wait(&barrier);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(thread_answer == 0);
	return 0;
}

static void
each_thread_gets_back_its_signals_and_stack(void **state)
{
	(void)state;
	round_trip(&res_signals, set_thread, set_bare_thread, verify_thread,
	    NULL);
}

/* ---- saved inside a handler ---- */

static int answer_fd, ask_fd, inside;

static void
stay(int sig)
{
	char byte;

	(void)sig;
	(void)!write(answer_fd, "", 1);
	while (read(ask_fd, &byte, 1) < 0 && errno == EINTR)
		;
	inside = 1;
}

/* A process that is saved while a handler runs on the alternate stack. */
static void
a_stack_in_use_is_saved_as_a_stack(void **state)
{
	struct puppet p;
	const struct record *rec;
	Img__Signals *m;
	int down[2], up[2];

	(void)state;
	assert_int_equal(pipe(down), 0);
	assert_int_equal(pipe(up), 0);
	memset(&p, 0, sizeof p);
	p.pid = fork();
	if (p.pid == 0) {
		struct sigaction sa = { .sa_handler = stay,
			.sa_flags = SA_ONSTACK };
		stack_t ss = { .ss_sp = stack, .ss_size = sizeof stack };

		answer_fd = up[1];
		ask_fd = down[0];
		(void)sigaltstack(&ss, NULL);
		(void)sigaction(SIGUSR1, &sa, NULL);
		(void)raise(SIGUSR1);
		(void)sigaltstack(NULL, &ss);
		_exit(!(inside && ss.ss_sp == stack && ss.ss_flags == 0));
	}
	p.ask = down[1];
	p.answer = up[0];
	(void)close(down[0]);
	(void)close(up[1]);
	assert_int_equal(read(p.answer, &(char){ 0 }, 1), 1);
	puppet_save(&p, &res_signals);
	rec = &p.c.records[0];
	m = img__signals__unpack(NULL, rec->len, rec->data);
	assert_non_null(m);
	assert_int_equal(m->threads[0]->alt_sp, (uint64_t)(uintptr_t)stack);
	assert_int_equal(m->threads[0]->alt_flags, 0);
	img__signals__free_unpacked(m, NULL);
	assert_int_equal(puppet_end(&p), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_with_flags_and_masks_come_back),
		cmocka_unit_test(
		    pending_signals_come_back_alone_in_order_with_values),
		cmocka_unit_test(a_thousand_pending_signals_come_back),
		cmocka_unit_test(each_thread_gets_back_its_signals_and_stack),
		cmocka_unit_test(a_stack_in_use_is_saved_as_a_stack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
