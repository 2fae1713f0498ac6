/* rope_config.c - what a file says about rotary embeddings, proved, and the frequencies that follow from it.
 *
 * Settings: GGUF's rope.* keys, rope_scaling or rope_parameters of config.json (transformers 4 and 5). Divisors of
 * single frequencies: the tensors rope_freqs (the llama3 rule, evaluated by the converter) and rope_factors_long/short
 * in GGUF, long_factor and short_factor in config.json. */
#include <stdio.h>
#include <string.h>

#include "model/attention.h"
#include "model/model.h"
#include "quant/quant.h"

static const char near_tensor[] = "rope_factors_short.weight", far_tensor[] = "rope_factors_long.weight";

/* The setting that GGUF calls ARCH.rope.scaling.NAME. */
static enum leat_status number(const struct leat_file *f, const char *name, double lo, double hi, double dflt,
			       double *ret, struct leat_error *err)
{
	char suffix[96], key[128];
	snprintf(suffix, sizeof suffix, "rope.scaling.%s", name);
	return leat_meta_float_opt(f, leat_arch_key(f, suffix, key), lo, hi, dflt, ret, err);
}

/* The rest of a key of config.json behind rope_scaling or rope_parameters; NULL if it is neither's. */
static const char *rope_member(struct leat_str key, size_t *ret_n)
{
	static const char *const objects[] = { "config.rope_scaling", "config.rope_parameters" };
	for (size_t i = 0; i < sizeof objects / sizeof *objects; i++) {
		size_t n = strlen(objects[i]);
		if (key.n >= n && !memcmp(key.s, objects[i], n) && (key.n == n || key.s[n] == '.')) {
			*ret_n = (size_t)key.n - n;
			return key.s + n;
		}
	}
	return NULL;
}

/* config.json's object with the rule: one, of plain members, and what bends frequencies says how. A rule that is
 * written in another way would be none, silently. */
static enum leat_status prove_object(const struct leat_file *f, struct leat_error *err)
{
	static const char *const harmless[] = { ".rope_theta", ".partial_rotary_factor",
						".original_max_position_embeddings" };
	char key[128], shown[96];
	int typed = leat_file_meta(f, leat_arch_key(f, "rope.scaling.type", key)) != NULL;
	for (uint64_t i = 0; f->source == LEAT_SOURCE_HF && i < f->n_meta; i++) {
		size_t n = 0, k, n_harmless = sizeof harmless / sizeof *harmless;
		const char *rest = rope_member(f->meta[i].key, &n);
		if (!rest)
			continue;
		leat_str_show(f->meta[i].key, shown);
		if (n == 0)
			return leat_fail(err, LEAT_E_FORMAT, "rope_scaling", LEAT_NO_OFFSET,
					 "%s: %s is no object, wanted an object with rope_type", f->path, shown);
		if (memchr(rest + 1, '.', n - 1))
			return leat_fail(err, LEAT_E_UNSUPPORTED, "rope_scaling", LEAT_NO_OFFSET,
					 "%s: %s: a rule for some layers only is not supported", f->path, shown);
		for (k = 0; k < n_harmless; k++)
			if (leat_str_is((struct leat_str){ rest, n }, harmless[k]))
				break;
		if (k == n_harmless && !typed)
			return leat_fail(err, LEAT_E_FORMAT, "rope_scaling.rope_type", LEAT_NO_OFFSET,
					 "%s: found %s without rope_type, which says what it means", f->path, shown);
	}
	return LEAT_OK;
}

static enum leat_status find_bend(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	static const struct {
		const char *word;
		int bend, longrope;
	} kinds[] = {
		{ "none", LEAT_ROPE_PLAIN, 0 },       { "default", LEAT_ROPE_PLAIN, 0 },
		{ "linear", LEAT_ROPE_LINEAR, 0 },    { "llama3", LEAT_ROPE_LLAMA3, 0 },
		{ "yarn", LEAT_ROPE_YARN, 0 },        { "longrope", LEAT_ROPE_PLAIN, 1 },
		{ "su", LEAT_ROPE_PLAIN, 1 }, /* longrope's first name */
	};
	char key[128], shown[96];
	struct leat_str type;
	p->rope_longrope = leat_file_tensor(f, far_tensor) || leat_file_tensor(f, near_tensor);
	if (!leat_file_meta(f, leat_arch_key(f, "rope.scaling.type", key)))
		return LEAT_OK;
	LEAT_TRY(leat_meta_string(f, key, &type, err));
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (leat_str_is(type, kinds[i].word)) {
			p->rope_rule.bend = kinds[i].bend;
			p->rope_longrope |= kinds[i].longrope;
			return LEAT_OK;
		}
	return leat_fail(err, LEAT_E_UNSUPPORTED, "rope.scaling.type", LEAT_NO_OFFSET,
			 "%s: %s is '%s', and only none, linear, llama3, yarn and longrope are supported", f->path, key,
			 leat_str_show(type, shown));
}

/* YaRN's variants change its arithmetic. */
static enum leat_status refuse_yarn_variants(const struct leat_file *f, struct leat_error *err)
{
	static const char *const names[] = { "yarn_ext_factor", "yarn_log_multiplier", "yarn_attn_factor", "mscale",
					     "mscale_all_dim", "truncate" };
	char suffix[96], key[128];
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(suffix, sizeof suffix, "rope.scaling.%s", names[i]);
		if (leat_file_meta(f, leat_arch_key(f, suffix, key)))
			return leat_fail(err, LEAT_E_UNSUPPORTED, "rope.scaling", LEAT_NO_OFFSET,
					 "%s: %s is not supported", f->path, key);
	}
	return LEAT_OK;
}

static enum leat_status bad_pair(const struct leat_file *f, const char *what, double a, double b,
				 struct leat_error *err)
{
	return leat_fail(err, LEAT_E_FORMAT, "rope.scaling", LEAT_NO_OFFSET, "%s: %s are %g and %g", f->path, what, a,
			 b);
}

static enum leat_status read_rule(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	struct leat_rope_rule *r = &p->rope_rule;
	char key[128];
	int64_t original;
	LEAT_TRY(number(f, "factor", 1e-3, 1e6, 0, &r->factor, err));
	if (r->bend != LEAT_ROPE_PLAIN && r->factor < 1)
		return leat_fail(err, LEAT_E_FORMAT, "rope.scaling.factor", LEAT_NO_OFFSET,
				 "%s: %s is %g, wanted 1 or more", f->path,
				 leat_arch_key(f, "rope.scaling.factor", key), r->factor);
	LEAT_TRY(leat_meta_int_opt(f, leat_arch_key(f, "rope.scaling.original_context_length", key), 1, 1 << 28,
				   p->n_ctx, &original, err));
	r->original = (double)original;
	if (r->bend == LEAT_ROPE_LLAMA3) {
		LEAT_TRY(number(f, "low_freq_factor", 1e-3, 1e6, 1, &r->low, err));
		LEAT_TRY(number(f, "high_freq_factor", 1e-3, 1e6, 4, &r->high, err));
		if (r->low >= r->high)
			return bad_pair(f, "low_freq_factor and high_freq_factor", r->low, r->high, err);
	}
	if (r->bend == LEAT_ROPE_YARN) {
		LEAT_TRY(refuse_yarn_variants(f, err));
		LEAT_TRY(number(f, "yarn_beta_fast", 1e-3, 1e6, 32, &r->beta_fast, err));
		LEAT_TRY(number(f, "yarn_beta_slow", 1e-3, 1e6, 1, &r->beta_slow, err));
		if (r->beta_slow >= r->beta_fast || r->base <= 1)
			return bad_pair(f, "beta_slow and beta_fast", r->beta_slow, r->beta_fast, err);
	}
	return LEAT_OK;
}

/* What multiplies cos and sin. In GGUF the number that a file states comes on top of yarn's rule; in config.json it
 * replaces the rule, of yarn and longrope: the others have none. */
static enum leat_status read_scale(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	const struct leat_rope_rule *r = &p->rope_rule;
	double stretch = p->n_ctx / r->original, stated, rule = 1;
	LEAT_TRY(number(f, "attn_factor", 1e-3, 1e3, 0, &stated, err));
	if (r->bend == LEAT_ROPE_YARN)
		rule = leat_rope_yarn_scale(r);
	else if (p->rope_longrope)
		rule = leat_rope_longrope_scale(stretch > 1 || r->factor <= 0 ? stretch : r->factor, r->original);
	if (f->source == LEAT_SOURCE_HF && r->bend != LEAT_ROPE_YARN && !p->rope_longrope)
		stated = 0;
	if (stated > 0)
		rule = f->source == LEAT_SOURCE_GGUF && r->bend == LEAT_ROPE_YARN ? rule * stated : stated;
	p->rope.scale = (float)rule;
	return LEAT_OK;
}

enum leat_status leat_config_rope(struct leat_config *p, const struct leat_file *f, struct leat_error *err)
{
	char key[128];
	double linear;
	int typed = leat_file_meta(f, leat_arch_key(f, "rope.scaling.type", key)) != NULL;
	p->rope_rule = (struct leat_rope_rule){ .bend = LEAT_ROPE_PLAIN };
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "rope.freq_base", key), 1, 1e12, 10000, &p->rope_rule.base,
				     err));
	LEAT_TRY(prove_object(f, err));
	LEAT_TRY(find_bend(p, f, err));
	LEAT_TRY(read_rule(p, f, err));
	/* how GGUF files said "linear" before there were types */
	LEAT_TRY(leat_meta_float_opt(f, leat_arch_key(f, "rope.scale_linear", key), 1, 1e6, 1, &linear, err));
	/* and a factor without a type is one of that rule */
	if (f->source == LEAT_SOURCE_GGUF && !typed && p->rope_rule.factor > 1)
		linear = p->rope_rule.factor;
	if (linear > 1 && p->rope_rule.bend == LEAT_ROPE_PLAIN && !p->rope_longrope) {
		p->rope_rule.bend = LEAT_ROPE_LINEAR;
		p->rope_rule.factor = linear;
	}
	/* the converter has evaluated the rule */
	if (p->rope_rule.bend == LEAT_ROPE_LLAMA3 && leat_file_tensor(f, "rope_freqs.weight"))
		p->rope_rule.bend = LEAT_ROPE_PLAIN;
	if (p->rope_longrope)
		p->rope_short_ctx = (int)p->rope_rule.original;
	return read_scale(p, f, err);
}

/* ---- divisors of single frequencies, and the frequencies ---- */

static enum leat_status from_tensor(const struct leat_tensor *t, const struct leat_file *f, const char *name,
				    float *ret, int n, struct leat_error *err)
{
	int q = leat_quant_of_type(t->type);
	if (t->dim[0] != (uint64_t)n || t->dim[1] * t->dim[2] * t->dim[3] != 1)
		return leat_fail(err, LEAT_E_FORMAT, name, t->offset,
				 "%s: tensor '%s' has columns %llu, wanted %d: half the rotated elements", f->path,
				 name, (unsigned long long)t->dim[0], n);
	if (q < 0 || leat_quant_at(q)->block_elems != 1)
		return leat_fail(err, LEAT_E_FORMAT, name, t->offset,
				 "%s: tensor '%s' is not a vector of floats", f->path, name);
	leat_quant_at(q)->dequant(ret, t->data, (size_t)n);
	return LEAT_OK;
}

static enum leat_status from_setting(const struct leat_file *f, const char *key, float *ret, int n,
				     struct leat_error *err)
{
	const struct leat_meta *m;
	LEAT_TRY(leat_meta_floats_opt(f, key, &m, err));
	if (!m || m->count != (uint64_t)n)
		return leat_fail(err, LEAT_E_FORMAT, key, LEAT_NO_OFFSET,
				 "%s: %s has %llu numbers, wanted %d: half the rotated elements", f->path, key,
				 (unsigned long long)(m ? m->count : 0), n);
	for (int i = 0; i < n; i++)
		ret[i] = leat_meta_float_at(m, (uint64_t)i);
	return LEAT_OK;
}

/* n divisors into *ret, of the arena; NULL if the file has none of that name. */
static enum leat_status divisors(const struct leat_file *f, const char *tensor, const char *setting, int n,
				 struct leat_arena *arena, float **ret, struct leat_error *err)
{
	char key[128];
	const struct leat_tensor *t = leat_file_tensor(f, tensor);
	int stated = setting && leat_file_meta(f, leat_arch_key(f, setting, key));
	*ret = NULL;
	if (!t && !stated)
		return LEAT_OK;
	float *y = leat_arena_take_array(arena, (size_t)n, sizeof *y);
	if (!y)
		return leat_fail(err, LEAT_E_NOMEM, "rope", LEAT_NO_OFFSET, "%s: out of memory", f->path);
	LEAT_TRY(t ? from_tensor(t, f, tensor, y, n, err) : from_setting(f, key, y, n, err));
	for (int i = 0; i < n; i++)
		if (!(y[i] >= 1e-6f && y[i] <= 1e6f))
			return leat_fail(err, LEAT_E_FORMAT, t ? tensor : key, LEAT_NO_OFFSET,
					 "%s: element %d of %s is %g, wanted 1e-6 to 1e6", f->path, i,
					 t ? tensor : key, (double)y[i]);
	*ret = y;
	return LEAT_OK;
}

static enum leat_status frequencies(const struct leat_config *p, const float *divisor, struct leat_arena *arena,
				    const float **ret, struct leat_error *err)
{
	int n = p->rope.n_rot / 2;
	float *y = leat_arena_take_array(arena, (size_t)n, sizeof *y);
	if (!y)
		return leat_fail(err, LEAT_E_NOMEM, "rope", LEAT_NO_OFFSET, "out of memory");
	leat_rope_frequencies(y, n, &p->rope_rule, divisor);
	*ret = y;
	return LEAT_OK;
}

enum leat_status leat_rope_settle(struct leat_config *p, const struct leat_file *f, struct leat_arena *arena,
				  struct leat_error *err)
{
	int n = p->rope.n_rot / 2;
	float *divisor, *far;
	if (!n)
		return LEAT_OK;
	if (!p->rope_longrope) {
		LEAT_TRY(divisors(f, "rope_freqs.weight", NULL, n, arena, &divisor, err));
		return frequencies(p, divisor, arena, &p->rope.inv_freq, err);
	}
	LEAT_TRY(divisors(f, near_tensor, "rope.scaling.short_factor", n, arena, &divisor, err));
	LEAT_TRY(divisors(f, far_tensor, "rope.scaling.long_factor", n, arena, &far, err));
	const char *lacks = !divisor ? near_tensor : far_tensor;
	if (!divisor || !far)
		return leat_fail(err, LEAT_E_FORMAT, lacks, LEAT_NO_OFFSET,
				 "%s: longrope needs short and long factors: %s is missing", f->path,
				 f->source == LEAT_SOURCE_GGUF ? lacks : divisor ? "long_factor" : "short_factor");
	LEAT_TRY(frequencies(p, divisor, arena, &p->rope.inv_freq, err));
	return frequencies(p, far, arena, &p->rope.long_freq, err);
}
