/* weights.c - a copy of the weights in huge pages (--opt weight_copy=on).
 *
 * Decode is a walk over all weights, and in 4 KiB pages of a mapped file it pays for page-table walks. With the
 * switch on, matrices that are multiplied are copied once, by all threads, into anonymous huge pages, and the
 * file's pages are let go. It is off by default: since the kernels prefetch across page ends (op/mv.h) it wins 5 %
 * (46.2 to 48.4 tokens/s, Q8_0 on two cores of an AMX machine) and costs start-up time and a second copy. Without
 * room for it, or without huge pages, the mapping is used as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/meminfo.h"
#include "cpu/exec.h"
#include "leat/leat.h"
#include "plan/opts.h"

static const size_t huge_bytes = (size_t)2 << 20, chunk_bytes = (size_t)256 << 20;

static int huge_pages_enabled(void)
{
	char line[128] = "";
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
	if (f) {
		if (!fgets(line, sizeof line, f))
			line[0] = 0;
		fclose(f);
	}
	return strstr(line, "[always]") || strstr(line, "[madvise]");
}

/* Half of what is free may go into copies: the rest is for state, and for whoever else is here. */
static void settle_budget(struct leat_cpu *c)
{
	uint64_t total, avail;
	c->weights.asked = 1;
	if (c->mode == LEAT_MODE_REFERENCE || !leat_opt_on(c->opts, LEAT_OPT_weight_copy) || !huge_pages_enabled())
		return;
	leat_meminfo(&total, &avail);
	c->weights.budget_bytes = avail == UINT64_MAX ? 0 : avail / 2;
}

/* n bytes of a chunk with room, 64-byte aligned; NULL when there is none. */
static unsigned char *take(struct leat_cpu_weights *s, size_t n)
{
	struct leat_cpu_chunk *k = s->n_chunks ? &s->chunk[s->n_chunks - 1] : NULL;
	if (!k || k->bytes - k->used < n) {
		size_t bytes = n > chunk_bytes ? (n + huge_bytes - 1) / huge_bytes * huge_bytes : chunk_bytes;
		void *p = s->n_chunks < LEAT_CPU_CHUNKS ? leat_cpu_pages(bytes, 1) : NULL;
		if (!p)
			return NULL;
		k = &s->chunk[s->n_chunks++];
		*k = (struct leat_cpu_chunk){ p, bytes, 0 };
	}
	unsigned char *at = k->p + k->used;
	k->used += (n + 63) / 64 * 64;
	k->used = k->used < k->bytes ? k->used : k->bytes;
	return at;
}

struct copy {
	unsigned char *dst;
	const unsigned char *src;
	size_t n;
};

/* Every worker copies its share, so that each huge page is cleared by who fills it. */
static void copy_share(struct leat_worker *w, void *arg)
{
	const struct copy *c = arg;
	size_t a = c->n / (size_t)w->n_workers * (size_t)w->index;
	size_t b = w->index == w->n_workers - 1 ? c->n : c->n / (size_t)w->n_workers * (size_t)(w->index + 1);
	memcpy(c->dst + a, c->src + a, b - a);
}

/* The whole pages of the file that lie in the range need not be resident any more. */
static void let_go(const unsigned char *p, size_t n)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), a = ((uintptr_t)p + page - 1) & ~(page - 1);
	uintptr_t b = ((uintptr_t)p + n) & ~(page - 1);
	if (a < b)
		madvise((void *)a, b - a, MADV_DONTNEED);
}

static int remember(struct leat_cpu_weights *s, int index, const unsigned char *at)
{
	if (index >= s->cap) {
		int cap = index < 128 ? 256 : index * 2;
		const unsigned char **grown = realloc(s->at, (size_t)cap * sizeof *grown);
		if (!grown)
			return 1;
		for (int i = s->cap; i < cap; i++)
			grown[i] = NULL;
		s->at = grown;
		s->cap = cap;
	}
	s->at[index] = at;
	return 0;
}

enum leat_status leat_cpu_bind(void *dev, const struct leat_weight *w, uint64_t *ret_bytes, struct leat_error *err)
{
	struct leat_cpu *c = dev;
	struct copy copy = { .src = w->data, .n = (size_t)w->rows * w->row_bytes };
	if (!c->weights.asked)
		settle_budget(c);
	if (!w->multiplied || c->weights.budget_bytes < copy.n)
		return LEAT_OK;
	copy.dst = take(&c->weights, copy.n);
	if (!copy.dst)
		return LEAT_OK;
	if (remember(&c->weights, w->index, copy.dst))
		return leat_fail(err, LEAT_E_NOMEM, w->name, LEAT_NO_OFFSET, "out of memory");
	leat_pool_run(c->pool, copy_share, &copy);
	if (w->mapped)
		let_go(copy.src, copy.n);
	c->weights.budget_bytes -= copy.n;
	*ret_bytes += copy.n;
	return LEAT_OK;
}

void leat_cpu_unbind_all(struct leat_cpu *c)
{
	for (int i = 0; i < c->weights.n_chunks; i++)
		leat_cpu_pages_free(c->weights.chunk[i].p, c->weights.chunk[i].bytes);
	free(c->weights.at);
	c->weights = (struct leat_cpu_weights){ 0 };
}

const unsigned char *leat_cpu_weight(const struct leat_cpu *c, const struct leat_weight *w)
{
	const unsigned char *copy = w->index < c->weights.cap ? c->weights.at[w->index] : NULL;
	return copy ? copy : w->data;
}
