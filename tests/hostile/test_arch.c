/* Rows G27 and G29 for the attention architectures: scaling of rotary embeddings, windows, fused tensors, and what a
 * file may ask for that no architecture here computes. */
#include "hostile/hostile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static const enum mk_kind kinds[] = {MK_QWEN2, MK_LLAMA, MK_PHI3, MK_QWEN3};
static const char *const names[] = {"qwen2", "llama", "phi3", "qwen3"};

/* "ARCH.suffix"; static buffer. */
static const char *key_of(size_t which, const char *suffix)
{
	static char key[128];
	snprintf(key, sizeof key, "%s.%s", names[which], suffix);
	return key;
}

static void valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(kinds); i++)
		hostile_accept_model(mk_create(kinds[i]));
}

static struct mk *typed(size_t which, const char *type)
{
	struct mk *m = mk_create(kinds[which]);
	mk_set_string(m, key_of(which, "rope.scaling.type"), type, strlen(type));
	return m;
}

static void test_G27_types(void **state)
{
	(void)state;
	static const char *const unknown[] = {"dynamic", "ntk", "", "Linear", "longrope2", "\x1b[2J"};
	for (size_t w = 0; w < COUNT_OF(kinds); w++) {
		for (size_t i = 0; i < COUNT_OF(unknown); i++)
			hostile_refuse_model(typed(w, unknown[i]), LEAT_E_UNSUPPORTED, "rope.scaling.type");
		hostile_accept_model(typed(w, "none"));
		hostile_refuse_model(typed(w, "linear"), LEAT_E_FORMAT, "factor"); /* by how much? */
		struct mk *m = mk_create(kinds[w]);
		mk_set_int(m, key_of(w, "rope.scaling.type"), MK_U32, 1);
		hostile_refuse_model(m, LEAT_E_FORMAT, "rope.scaling.type");
	}
	hostile_refuse_model(typed(0, "longrope"), LEAT_E_FORMAT, "rope_factors_short.weight");
}

static void test_G27_numbers(void **state)
{
	(void)state;
	static const float bad[] = {0, -1, 0.5f, 1e7f, INFINITY, -INFINITY, NAN};
	static const char *const types[] = {"linear", "llama3", "yarn"};
	for (size_t t = 0; t < COUNT_OF(types); t++) {
		for (size_t i = 0; i < COUNT_OF(bad); i++) {
			struct mk *m = typed(1, types[t]);
			mk_set_f32(m, "llama.rope.scaling.factor", bad[i]);
			hostile_refuse_model(m, LEAT_E_FORMAT, "llama.rope.scaling.factor");
		}
		struct mk *m = typed(3, types[t]);
		mk_set_f32(m, "qwen3.rope.scaling.factor", 4);
		hostile_accept_model(m);
	}
	struct mk *m = typed(3, "llama3");
	mk_set_f32(m, "qwen3.rope.scaling.factor", 4);
	mk_set_f32(m, "qwen3.rope.scaling.low_freq_factor", 4);
	hostile_refuse_model(m, LEAT_E_FORMAT, "low_freq_factor");
	m = typed(3, "yarn");
	mk_set_f32(m, "qwen3.rope.scaling.factor", 4);
	mk_set_f32(m, "qwen3.rope.scaling.yarn_beta_slow", 32);
	hostile_refuse_model(m, LEAT_E_FORMAT, "beta_slow");
	m = typed(3, "yarn");
	mk_set_f32(m, "qwen3.rope.scaling.factor", 4);
	mk_set_f32(m, "qwen3.rope.scaling.yarn_log_multiplier", 0.1f);
	hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "yarn_log_multiplier");
	m = mk_create(MK_QWEN2);
	mk_set_f32(m, "qwen2.rope.scale_linear", NAN);
	hostile_refuse_model(m, LEAT_E_FORMAT, "scale_linear");
}

static void test_G27_original(void **state)
{
	(void)state;
	static const uint64_t bad[] = {0, UINT32_MAX, (uint64_t)1 << 29};
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		struct mk *m = mk_create(MK_PHI3);
		mk_set_int(m, "phi3.rope.scaling.original_context_length", MK_U32, bad[i]);
		hostile_refuse_model(m, LEAT_E_FORMAT, "original_context_length");
	}
	struct mk *m = mk_create(MK_PHI3);
	mk_set_int(m, "phi3.rope.scaling.original_context_length", MK_U32, 1); /* ln 1 = 0: no scale */
	hostile_accept_model(m);
	m = mk_create(MK_PHI3);
	mk_set_int(m, "phi3.rope.scaling.original_context_length", MK_U32, 4096); /* longer than the context */
	hostile_accept_model(m);
}

static const char *const factors[] = {"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};

static void test_G27_factors(void **state)
{
	(void)state;
	static const float bad[] = {0, -1, INFINITY, NAN, 1e-30f};
	for (size_t f = 0; f < COUNT_OF(factors); f++) {
		enum mk_kind kind = f ? MK_PHI3 : MK_LLAMA;
		for (int by = -1; by <= 1; by += 2) { /* one too few, one too many */
			struct mk *m = mk_create(kind);
			mk_tensor(m, factors[f])->dim[0] += (uint64_t)(int64_t)by;
			hostile_refuse_model(m, LEAT_E_FORMAT, factors[f]);
		}
		for (size_t i = 0; i < COUNT_OF(bad); i++) {
			struct mk *m = mk_create(kind);
			memcpy(mk_data(m, mk_tensor(m, factors[f])) + 4, &bad[i], 4);
			hostile_refuse_model(m, LEAT_E_FORMAT, factors[f]);
		}
	}
}

static void test_G29(void **state)
{
	(void)state;
	for (size_t w = 0; w < COUNT_OF(kinds); w++) {
		struct mk *m = mk_create(kinds[w]);
		mk_set_int(m, key_of(w, "expert_count"), MK_U32, 0);
		hostile_accept_model(m);
		for (uint64_t n = 1; n <= 65536; n *= 256) {
			m = mk_create(kinds[w]);
			mk_set_int(m, key_of(w, "expert_count"), MK_U32, n);
			hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "expert_count");
		}
	}
}

/* A setting that changes the arithmetic is refused by its name, and so is one of another type. */
static void test_unknown_arithmetic(void **state)
{
	(void)state;
	static const char *const settings[] = {"attn_logit_softcapping", "final_logit_softcapping",
					       "attention.clamp_kqv", "attention.max_alibi_bias", "logit_scale",
					       "residual_scale", "embedding_scale", "attention.scale"};
	for (size_t w = 0; w < COUNT_OF(kinds); w++) {
		for (size_t i = 0; i < COUNT_OF(settings); i++) {
			struct mk *m = mk_create(kinds[w]);
			mk_set_f32(m, key_of(w, settings[i]), 0.75f);
			hostile_refuse_model(m, LEAT_E_UNSUPPORTED, settings[i]);
			m = mk_create(kinds[w]);
			mk_set_f32(m, key_of(w, settings[i]), NAN);
			hostile_refuse_model(m, LEAT_E_UNSUPPORTED, settings[i]);
		}
		struct mk *m = mk_create(kinds[w]);
		mk_set_int(m, key_of(w, "attention.causal"), MK_BOOL, 0);
		hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "attention.causal");
		m = mk_create(kinds[w]);
		mk_set_int(m, key_of(w, "attention.sliding_window_pattern"), MK_U32, 6);
		hostile_refuse_model(m, LEAT_E_UNSUPPORTED, "sliding_window_pattern");
	}
}

static void test_windows(void **state)
{
	(void)state;
	static const uint64_t fine[] = {0, 1, 7, 64, 128, UINT32_MAX};
	for (size_t w = 0; w < COUNT_OF(kinds); w++)
		for (size_t i = 0; i < COUNT_OF(fine); i++) {
			struct mk *m = mk_create(kinds[w]);
			mk_set_int(m, key_of(w, "attention.sliding_window"), MK_U32, fine[i]);
			hostile_accept_model(m);
			m = mk_create(kinds[w]);
			mk_set_int(m, key_of(w, "attention.sliding_window"), MK_I32, UINT32_MAX); /* -1 */
			hostile_refuse_model(m, LEAT_E_FORMAT, "sliding_window");
		}
}

/* The parts of a fused tensor must take all of it. */
static void test_fused(void **state)
{
	(void)state;
	static const char *const fused[] = {"blk.1.attn_qkv.weight", "blk.0.ffn_up.weight"};
	for (size_t i = 0; i < COUNT_OF(fused); i++)
		for (int by = -1; by <= 1; by += 2) {
			struct mk *m = mk_create(MK_PHI3);
			mk_tensor(m, fused[i])->dim[1] += (uint64_t)(int64_t)by;
			hostile_any_model(m, 1); /* data of the last tensor may lack: any typed error */
			m = mk_create(MK_PHI3);
			mk_set_int(m, i ? "phi3.feed_forward_length" : "phi3.attention.head_count_kv", MK_U32,
				   i ? (by < 0 ? 32 : 96) : (by < 0 ? 1 : 4));
			hostile_refuse_model(m, LEAT_E_FORMAT, i ? "ffn_up.weight" : "attn_qkv.weight");
		}
}

/* A model that knows one token: there is little to say, and nothing to trip over. */
static void test_E08_one_token(void **state)
{
	(void)state;
	static const char *const all[] = {"a"};
	static const int32_t kind[] = {1};
	struct mk *m = mk_create(MK_QWEN2);
	mk_set_strings(m, "tokenizer.ggml.tokens", all, 1);
	mk_set_array(m, "tokenizer.ggml.token_type", MK_I32, 1, kind, sizeof kind);
	mk_remove_pair(m, "tokenizer.ggml.merges");
	mk_set_int(m, "tokenizer.ggml.bos_token_id", MK_U32, 0);
	mk_set_int(m, "tokenizer.ggml.eos_token_id", MK_U32, 0);
	mk_tensor(m, "token_embd.weight")->dim[1] = 1;
	if (mk_tensor(m, "output.weight"))
		mk_tensor(m, "output.weight")->dim[1] = 1;
	hostile_any_model(m, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid),            cmocka_unit_test(test_G27_types),
		cmocka_unit_test(test_G27_numbers), cmocka_unit_test(test_G27_original),
		cmocka_unit_test(test_G27_factors), cmocka_unit_test(test_G29),
		cmocka_unit_test(test_windows),     cmocka_unit_test(test_unknown_arithmetic),
		cmocka_unit_test(test_fused),       cmocka_unit_test(test_E08_one_token),
	};
	return hostile_main(tests, COUNT_OF(tests), "none");
}
