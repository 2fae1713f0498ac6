/* signals.c - what Ctrl-C does, and what is said when a mapped file loses its pages. */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

static volatile sig_atomic_t caught;
static _Atomic(struct leat_request *) watched;
static volatile sig_atomic_t errors_are_json;

static void on_signal(int sig)
{
	struct leat_request *r = atomic_load(&watched);

	caught = sig;
	if (r)
		leat_request_cancel(r);
}

#define MAPPED_FILE_LOST "the model file changed or could not be read while it was mapped"
_Static_assert(LEAT_E_IO == -2 && EXIT_IOERR == 74, "the JSON line of on_sigbus says so");

/* Whoever shortens a mapped file, or unplugs its disk, takes pages away from under the kernels: there is nothing to go
 * on with, but the user deserves a reason. Only calls that are safe in a handler. Any other SIGBUS (a fault of leat's
 * own, kill -BUS) meets the default action. Several threads come here at once, so the action stays installed, and one
 * of them speaks. */
static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	static const char text[] = "leat: " MAPPED_FILE_LOST "\n";
	static const char json[] = "{\"schema\":\"leat.error/1\",\"error\":{\"code\":\"model_io_error\",\"message\":\""
				   MAPPED_FILE_LOST "\",\"where\":\"\",\"status\":-2,\"exit\":74}}\n";
	static atomic_flag said = ATOMIC_FLAG_INIT;
	ssize_t done;

	(void)context;
	if (info->si_code != BUS_ADRERR) {
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	while (atomic_flag_test_and_set(&said))
		pause();
	done = errors_are_json ? write(2, json, sizeof(json) - 1) : write(2, text, sizeof(text) - 1);
	(void)done; /* nobody is left to tell */
	_exit(EXIT_IOERR);
}

void cli_signals_json(int on)
{
	errors_are_json = on;
}

void cli_signals_init(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction a;
	size_t i;

	memset(&a, 0, sizeof(a));
	a.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &a, NULL);
	/* The second one meets the default action: a program that hangs can always be ended. No SA_RESTART: a read from
	 * the terminal must end too. */
	a.sa_handler = on_signal;
	a.sa_flags = (int)SA_RESETHAND;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		struct sigaction old;
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue; /* nohup, or a job in the background of a script */
		sigaction(signals[i], &a, NULL);
	}
	a.sa_sigaction = on_sigbus;
	a.sa_flags = SA_SIGINFO;
	sigaction(SIGBUS, &a, NULL);
}

/* ---- many prompts ---- */

static volatile sig_atomic_t drain_level;
static int drain_fd = -1;

static void on_drain(int sig)
{
	static const uint64_t one = 1;
	int saved = errno;
	ssize_t done;

	caught = sig;
	if (++drain_level >= 2)
		signal(sig, SIG_DFL);
	done = write(drain_fd, &one, sizeof(one));
	(void)done; /* full: it is readable */
	errno = saved;
}

int cli_drain_init(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction a, old;
	size_t i;

	drain_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (drain_fd < 0)
		return -1;
	memset(&a, 0, sizeof(a));
	a.sa_handler = on_drain;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(signals[i], &a, NULL);
	}
	return drain_fd;
}

int cli_drain_level(void)
{
	return drain_level;
}

/* ---- conversations ---- */

static atomic_int interrupts, leaving;
static _Atomic(int64_t) last_interrupt_ms;

static void on_interrupt(int sig)
{
	struct leat_request *r = atomic_load(&watched);
	struct timespec t;
	int64_t ms, before;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	before = atomic_exchange(&last_interrupt_ms, ms);
	if (atomic_load(&leaving)) {
		/* It was asked to leave and has not: it can always be ended. */
		signal(sig, SIG_DFL);
		raise(sig);
		return;
	}
	if (before && ms - before < 2000)
		atomic_store(&leaving, 1);
	atomic_store(&interrupts, 1);
	if (r)
		leat_request_cancel(r);
}

void cli_interrupts_init(void)
{
	struct sigaction a;

	memset(&a, 0, sizeof(a));
	a.sa_handler = on_interrupt;
	sigaction(SIGINT, &a, NULL);
}

int cli_interrupted(void)
{
	return atomic_exchange(&interrupts, 0);
}

int cli_wants_to_leave(void)
{
	return atomic_load(&leaving);
}

int cli_signal(void)
{
	return caught;
}

void cli_watch(struct leat_request *r)
{
	atomic_store(&watched, r);
	/* A signal between submit and here found nothing to cancel. */
	if (r && (caught || atomic_load(&interrupts)))
		leat_request_cancel(r);
}
