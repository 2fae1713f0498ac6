/* signals.c - what Ctrl-C does. */
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "cli.h"

static volatile sig_atomic_t caught;
static _Atomic(struct leat_request *) watched;

static void on_signal(int sig)
{
	struct leat_request *r = atomic_load(&watched);

	caught = sig;
	if (r)
		leat_request_cancel(r);
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
}

int cli_signal(void)
{
	return caught;
}

void cli_watch(struct leat_request *r)
{
	atomic_store(&watched, r);
	/* A signal between submit and here found nothing to cancel. */
	if (r && caught)
		leat_request_cancel(r);
}
