/* opts.h - the run-time switches: every optimisation can be turned off, so that it can be measured alone. */
#ifndef LEAT_PLAN_OPTS_H
#define LEAT_PLAN_OPTS_H

#include "base/err.h"
#include "leat/leat.h"

#define LEAT_OPTS_MAP(X)                                                                                               \
	X(gemm, 1, "matrix-matrix products for many tokens (off: matrix-vector form for any number)")                  \
	X(few_gemm, 1, "matrix-matrix products from the number of tokens where they pay (off: from 16)")               \
	X(bf16_gemm, 1, "bf16 tiles (AMX or AVX512-BF16) in those products where numerics allow")                      \
	X(pack_ahead, 1, "packing asks memory for the weights that its thread packs next")                             \
	X(attn_tiles, 1, "attention turns keys and values into floats once for many tokens of a prompt")               \
	X(pack_bytes, 1, "Q8_0 is packed to bf16 by moving its bytes (off: floats), on AVX512-BF16 and AMX")           \
	X(barrier_elision, 1, "threads meet only where an op reads what another wrote")                                \
	X(steal, 1, "idle threads take over chunks of a product")                                                      \
	X(plan_cache, 1, "plans are kept and reused")                                                                  \
	X(scan_guard, 1, "plans that were used again stay before those that were used once")                           \
	X(share_scratch, 1, "plans of one size class share their scratch memory")                                      \
	X(scratch_pool, 1, "scratch memory of plans that were dropped is kept for others")                             \
	X(look, 1, "logits of several rows are read through by all threads before tokens are drawn")                  \
	X(ahead, 1, "plans of the next steps are held ready, and made while the engine has nothing else to do")        \
	X(overlap, 0, "texts of a step are made after the next one was submitted, on the CPU too")                     \
	X(weight_copy, 0, "weights are copied once into huge pages instead of being read where they are mapped")       \
	X(row_shares, 1, "a thread has the same rows in every small op, and waits for no other between them")          \
	X(far_state, 1, "recurrent states of many sequences are written past the caches")                              \
	X(hugepages, 1, "transparent huge pages are asked for scratch, state and copied weights")

enum leat_opt {
#define X(name, on, help) LEAT_OPT_##name,
	LEAT_OPTS_MAP(X)
#undef X
	LEAT_OPT_COUNT
};

static inline int leat_opt_on(uint64_t opts, enum leat_opt o)
{
	return (int)(opts >> o & 1);
}

/* Defaults of the mode, then "name=on,name=off" applied. E_ARG names an unknown switch or a bad value. */
enum leat_status leat_opts_parse(const char *text, uint64_t *ret, struct leat_error *err);

#endif
