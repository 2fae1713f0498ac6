/* thread.h - threads of the library's own. */
#ifndef LEAT_BASE_THREAD_H
#define LEAT_BASE_THREAD_H

#include <pthread.h>

/* pthread_create for a thread that takes no signals: those belong to the threads of the program. Faults are not sent
 * but met, by the thread itself: if it blocked them the kernel would end the process without asking the program's
 * handler (a mapped model that lost its pages, SIGBUS). Returns what pthread_create does. */
int leat_thread_start(pthread_t *ret, void *(*fn)(void *), void *arg);

#endif
