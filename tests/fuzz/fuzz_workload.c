/* fuzz_workload.c - the files of --trace-file: whatever is taken keeps every promise of workload.h. */
#include "bench/workload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define REQUIRE(condition)              \
	do {                            \
		if (!(condition))       \
			__builtin_trap(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct leat_error err = LEAT_ERROR_INIT;
	struct leat_workload w;

	if (leat_workload_parse((const char *)data, n, &w, &err)) {
		REQUIRE(err.message[0]);
		return 0;
	}
	REQUIRE(w.n >= 1 && w.n <= LEAT_WORKLOAD_MAX_REQUESTS && w.n_parallel >= 0 && w.max_queue >= 0);
	for (int i = 0; i < w.n; i++) {
		REQUIRE(w.at[i].n_prompt >= 1 && w.at[i].n_prompt <= w.most_prompt);
		REQUIRE(w.at[i].n_gen >= 1 && w.at[i].n_gen <= w.most_gen);
		REQUIRE(w.at[i].n_prompt + w.at[i].n_gen <= w.most_tokens);
		REQUIRE(!i || w.at[i].at_ms >= w.at[i - 1].at_ms);
		REQUIRE(w.at[i].at_ms <= LEAT_WORKLOAD_MAX_MS);
	}
	leat_workload_deinit(&w);
	return 0;
}
