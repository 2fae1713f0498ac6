/* kerncheck.c - every slot of every instruction set against float64 and the portable kernels.
 *
 *   kerncheck [--bench] [--seed=N] [--rounds=N] [pattern]
 *
 * Walks the instruction sets weakest to strongest and tests the slots that a set changes. Inputs end at an unmapped
 * page, so an over-read faults; outputs are surrounded by canaries. --bench adds times and leaves the checks in. */
#include "kerncheck.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/cpu.h"
#include "base/f16.h"

enum { PAGE = 4096, CANARY = 64, CANARY_BYTE = 0x99, MAX_GUARDS = 256, MAX_CHECKS = 128 };

static struct {
	unsigned char *map, *data;
	size_t bytes;
} guards[MAX_GUARDS];
static int n_guards;
static uint64_t seed, state;
static const char *level = "scalar", *current = "";
static struct leat_kernels scalar;

uint64_t rnd(void)
{
	uint64_t z = state += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

int rnd_below(int n)
{
	return (int)(rnd() % (uint64_t)n);
}

float rnd_f32(int range)
{
	float f = 1.0f + (float)(rnd() >> 40) * 0x1p-24f;
	return ldexpf(rnd() & 1 ? f : -f, rnd_below(2 * range + 1) - range);
}

double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void *guard(size_t bytes)
{
	size_t size = (bytes + CANARY + PAGE - 1) / PAGE * PAGE;
	unsigned char *map = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (n_guards == MAX_GUARDS || map == MAP_FAILED || mprotect(map + size, PAGE, PROT_NONE)) {
		fprintf(stderr, "kerncheck: no memory\n");
		exit(2);
	}
	guards[n_guards].map = map;
	guards[n_guards].bytes = size + PAGE;
	guards[n_guards++].data = map + size - bytes;
	memset(map, CANARY_BYTE, size);
	return map + size - bytes;
}

int guard_reset(void)
{
	int broken = 0;
	while (n_guards) {
		n_guards--;
		for (int i = 1; i <= CANARY; i++)
			broken |= guards[n_guards].data[-i] != CANARY_BYTE;
		munmap(guards[n_guards].map, guards[n_guards].bytes);
	}
	return broken;
}

int untouched(const float *p, size_t n)
{
	const unsigned char *b = (const unsigned char *)p;
	for (size_t i = 0; i < n * sizeof *p; i++)
		if (b[i] != CANARY_BYTE)
			return 0;
	return 1;
}

float *guard_f32(size_t n)
{
	return guard(n * sizeof(float));
}

float *random_f32(size_t n, int range)
{
	float *p = guard_f32(n);
	for (size_t i = 0; i < n; i++)
		p[i] = rnd_f32(range);
	return p;
}

void random_blocks(int format, unsigned char *p, size_t n_elems)
{
	const struct leat_quant *f = leat_quant_at(format);
	size_t bytes = leat_quant_bytes(f, n_elems);

	if (f->block_elems == 1) {
		for (size_t i = 0; i < n_elems; i++) {
			float x = rnd_f32(6);
			f->quant(p + i * (size_t)f->block_bytes, &x, 1);
		}
		return;
	}
	if (f->block_elems != 32 ||
	    f->block_bytes % 4 != 2) { /* several f16 fields: only quantising keeps them finite */
		float x[256];
		for (size_t i = 0; i < n_elems; i += (size_t)f->block_elems) {
			for (int j = 0; j < f->block_elems; j++)
				x[j] = rnd_f32(6) * 0.1f;
			f->quant(p + leat_quant_bytes(f, i), x, (size_t)f->block_elems);
		}
		return;
	}
	/* one f16 at the start, which must be finite; any other byte is a legal weight */
	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)rnd();
	for (size_t i = 0; i < bytes; i += (size_t)f->block_bytes) {
		uint16_t d = leat_f32_to_f16(rnd_f32(6) * 0.01f);
		memcpy(p + i, &d, 2);
	}
}

int same_f32(const float *a, const float *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (leat_f32_bits(a[i]) != leat_f32_bits(b[i]) && !(isnan(a[i]) && isnan(b[i])))
			return 0;
	return 1;
}

const struct leat_kernels *portable(void)
{
	return &scalar;
}

/* An over-read or over-write ends here. */
static void on_fault(int sig)
{
	char text[200];
	int n = snprintf(text, sizeof text, "FAIL %s.%s: touched memory outside its arrays (signal %d, --seed=%llu)\n",
			 level, current, sig, (unsigned long long)seed);
	if (write(STDOUT_FILENO, text, (size_t)n) < 0)
		_exit(3);
	_exit(1);
}

static int slot_changed(const struct check *c, const struct leat_kernels *a, const struct leat_kernels *b)
{
	return memcmp((const char *)a + c->slot, (const char *)b + c->slot, sizeof(void (*)(void))) != 0;
}

/* Returns 1 if the slot fails. */
static int run_check(const struct check *c, const struct leat_kernels *k)
{
	current = c->name;
	state = seed;
	double worst = c->run(k, c->which);
	int broken = guard_reset();
	int ok = worst <= c->bound && !broken;
	printf("%-4s %-10s %-16s worst %.3g of %.3g%s\n", ok ? "ok" : "FAIL", level, c->name, worst, c->bound,
	       broken ? "; wrote before its output" : "");
	if (!ok)
		printf("     repeat with --seed=%llu %s\n", (unsigned long long)seed, c->name);
	return !ok;
}

struct options {
	int bench;
	const char *pattern;
};

static struct options read_options(int argc, char **argv)
{
	struct options o = {0, ""};

	seed = (uint64_t)time(NULL);
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--bench"))
			o.bench = 1;
		else if (!strncmp(argv[i], "--seed=", 7))
			seed = strtoull(argv[i] + 7, NULL, 0);
		else
			o.pattern = argv[i];
	}
	return o;
}

int main(int argc, char **argv)
{
	static const struct {
		unsigned flag;
		const char *name;
	} set[] = {
		{0, "scalar"},
		{LEAT_CPU_AVX2, "avx2"},
		{LEAT_CPU_AVX512, "avx512"},
		{LEAT_CPU_AVX512VNNI, "avx512vnni"},
		{LEAT_CPU_AVX512BF16, "avx512bf16"},
		{LEAT_CPU_AMX, "amx"},
	};
	static struct check table[MAX_CHECKS];
	struct options o = read_options(argc, argv);
	struct leat_kernels k, below;
	unsigned mask = 0;
	int failed = 0, run = 0, n = checks_products(table);

	n += checks_rows(table + n);
	n += checks_state(table + n);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("kerncheck: --seed=%llu\n", (unsigned long long)seed);
	leat_kernels_init(&scalar, 0);
	memset(&below, 0, sizeof below);
	for (size_t s = 0; s < COUNT_OF(set); s++) {
		level = set[s].name;
		mask |= set[s].flag;
		if ((leat_cpu_flags() & set[s].flag) != set[s].flag) {
			printf("skip %s: this machine or its kernel does not grant it\n", level);
			continue;
		}
		leat_kernels_init(&k, mask);
		for (int i = 0; i < n; i++)
			if (slot_changed(&table[i], &k, &below) && strstr(table[i].name, o.pattern)) {
				failed += run_check(&table[i], &k);
				run++;
			}
		if (o.bench)
			bench_all(&scalar, &k, &below, level, o.pattern);
		below = k;
	}
	printf("kerncheck: %d of %d slots failed\n", failed, run);
	return failed || !run;
}
