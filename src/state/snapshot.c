/* snapshot.c - snapshots out of a store and into one. */
#include "state/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "state/snapshot_parts.h"

enum leat_status leat_snapshot_sizes(struct leat_snapshot *x, struct leat_error *err)
{
	uint64_t cell = 0, rows = 0, layers = (uint64_t)x->n_layer, n;
	int bad = x->key.kv_type < 0 || x->key.kv_type >= LEAT_KV_TYPES;
	for (int i = 0; i < x->n_spec && !bad; i++) {
		const struct leat_state_spec *t = &x->spec[i];
		uint64_t cols = (uint64_t)t->cols;
		if (t->per_token) {
			/* 2^20 heads of 2^28 elements of 4 bytes, 2^16 layers: within 2^66, so each step is checked */
			bad = (x->key.kv_type == LEAT_STORE_Q8_0 && cols % LEAT_KV_BLOCK) ||
			      leat_mul_u64(leat_kv_row_bytes(x->key.kv_type, cols) * (uint64_t)t->heads, layers, &n) ||
			      leat_mul_u64(n, (uint64_t)(x->n_fed - x->first), &n) || leat_add_u64(rows, n, &rows);
		} else {
			bad = leat_mul_u64(cols, layers, &n) || leat_align_u64(n, 16, &n) ||
			      leat_mul_u64(n, sizeof(float), &n) || leat_add_u64(cell, n, &cell);
		}
	}
	if (bad || cell > SIZE_MAX / 4 || rows > SIZE_MAX / 4)
		return leat_fail(err, LEAT_E_FORMAT, "shape", LEAT_NO_OFFSET,
				 "state: impossible shape or cache type %d", x->key.kv_type);
	x->cell_bytes = cell;
	x->rows_bytes = rows;
	return LEAT_OK;
}

/* 1 if an element has all bits of its exponent set. */
static int has_nonfinite32(const unsigned char *p, uint64_t bytes)
{
	uint32_t bad = 0, u;
	for (uint64_t i = 0; i + 4 <= bytes; i += 4) {
		memcpy(&u, p + i, 4);
		bad |= (u & 0x7f800000u) == 0x7f800000u;
	}
	return bad != 0;
}

static int has_nonfinite16(const unsigned char *p, uint64_t bytes)
{
	uint32_t bad = 0;
	uint16_t u;
	for (uint64_t i = 0; i + 2 <= bytes; i += 2) {
		memcpy(&u, p + i, 2);
		bad |= (u & 0x7c00u) == 0x7c00u;
	}
	return bad != 0;
}

/* Blocks begin with their scale, an f16. */
static int has_nonfinite_block(const unsigned char *p, uint64_t bytes)
{
	int bad = 0;
	for (uint64_t i = 0; i + LEAT_KV_BLOCK_BYTES <= bytes; i += LEAT_KV_BLOCK_BYTES)
		bad |= has_nonfinite16(p + i, 2);
	return bad;
}

enum leat_status leat_snapshot_finite(const struct leat_snapshot *x, struct leat_error *err)
{
	int rows = x->key.kv_type == LEAT_STORE_F16    ? has_nonfinite16(x->rows, x->rows_bytes)
		   : x->key.kv_type == LEAT_STORE_Q8_0 ? has_nonfinite_block(x->rows, x->rows_bytes)
						       : has_nonfinite32(x->rows, x->rows_bytes);
	if (!rows && !has_nonfinite32(x->cell, x->cell_bytes))
		return LEAT_OK;
	return leat_fail(err, LEAT_E_FORMAT, rows ? "rows" : "cell", LEAT_NO_OFFSET,
			 "state: it holds a value that is not finite");
}

struct leat_snapshot *leat_snapshot_ref(struct leat_snapshot *x)
{
	atomic_fetch_add(&x->refs, 1);
	return x;
}

void leat_snapshot_unref(struct leat_snapshot *x)
{
	if (!x || atomic_fetch_sub(&x->refs, 1) != 1)
		return;
	free(x->tokens);
	free(x->cell);
	free(x->rows);
	free(x);
}

static void *copy_room(uint64_t bytes, int *failed)
{
	void *p = bytes ? leat_alloc_aligned((size_t)bytes) : NULL;
	*failed |= bytes && !p;
	return p;
}

uint64_t leat_snapshot_cell_offset(const struct leat_snapshot *x, int tensor, int layer)
{
	uint64_t at = 0, layers = (uint64_t)x->n_layer;
	for (int i = 0; i < tensor; i++)
		if (!x->spec[i].per_token)
			at += ((uint64_t)x->spec[i].cols * layers + 15) / 16 * 16;
	return (at + (uint64_t)layer * (uint64_t)x->spec[tensor].cols) * sizeof(float);
}

/* Memory for what `head` describes. */
static enum leat_status make(const struct leat_snapshot *head, struct leat_snapshot **ret, struct leat_error *err)
{
	struct leat_snapshot *x = calloc(1, sizeof *x);
	int failed = !x;
	if (x) {
		*x = *head;
		atomic_init(&x->refs, 1);
		x->tokens = copy_room((uint64_t)x->n_tokens * sizeof *x->tokens, &failed);
		x->cell = copy_room(x->cell_bytes, &failed);
		x->rows = copy_room(x->rows_bytes, &failed);
	}
	if (failed) {
		leat_snapshot_unref(x);
		return leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET,
				 "out of memory: %llu bytes wanted for a copy of a state",
				 (unsigned long long)(head->cell_bytes + head->rows_bytes));
	}
	if (x->n_tokens)
		memcpy(x->tokens, head->tokens, (size_t)x->n_tokens * sizeof *x->tokens);
	if (x->cell)
		memset(x->cell, 0, (size_t)x->cell_bytes);
	*ret = x;
	return LEAT_OK;
}

static const int32_t *pages_of(const struct leat_store *s, const struct leat_snapshot_place *at)
{
	return at->pages ? at->pages : s->table + (size_t)at->slot * (size_t)s->view.page_table_cols;
}

enum leat_status leat_snapshot_describe(const struct leat_store *s, const struct leat_prefix_key *key,
					const struct leat_snapshot_place *at, struct leat_snapshot *ret,
					struct leat_error *err)
{
	const int32_t *pages = pages_of(s, at);
	int64_t first = 0;
	while (s->view.page_bytes && first < at->n_fed && pages[first / s->view.page_tokens] < 0)
		first += s->view.page_tokens;
	struct leat_snapshot x = { .key = *key, .n_spec = s->n_spec, .n_layer = s->n_layer, .n_tokens = at->n_tokens,
				   .n_fed = at->n_fed, .first = first < at->n_fed ? first : at->n_fed };
	x.key.kv_type = s->view.kv_type;
	memcpy(x.spec, s->spec, sizeof x.spec);
	LEAT_TRY(leat_snapshot_sizes(&x, err));
	*ret = x;
	memcpy(&ret->tokens, &at->tokens, sizeof ret->tokens); /* borrowed: nobody writes through it */
	return LEAT_OK;
}

/* Copies between the snapshot's rows and one page in host memory: rows of page number `index`. */
static void page_rows(const struct leat_snapshot *x, const struct leat_store *s, unsigned char *page, int64_t index,
		      int to_page)
{
	const struct leat_state_view *v = &s->view;
	int64_t p0 = index * v->page_tokens, from = p0 > x->first ? p0 : x->first;
	int64_t to = p0 + v->page_tokens < x->n_fed ? p0 + v->page_tokens : x->n_fed;
	size_t held = (size_t)(x->n_fed - x->first);
	unsigned char *rows = x->rows;
	for (int t = 0; t < s->n_spec; t++) {
		size_t row = leat_kv_row_bytes(v->kv_type, (size_t)s->spec[t].cols);
		if (!s->spec[t].per_token)
			continue;
		for (int l = 0; l < s->n_layer; l++)
			for (int h = 0; h < s->spec[t].heads; h++, rows += row * held) {
				unsigned char *a = page + v->page_offset[t] + (size_t)l * v->page_layer[t] +
						   (size_t)h * v->page_head[t] + (size_t)(from - p0) * row;
				unsigned char *b = rows + (size_t)(from - x->first) * row;
				size_t n = (size_t)(to - from) * row;
				if (to_page)
					memcpy(a, b, n);
				else
					memcpy(b, a, n);
			}
	}
}

/* One page's worth of host memory. */
static enum leat_status page_room(const struct leat_store *s, unsigned char **ret, struct leat_error *err)
{
	*ret = calloc(1, s->view.page_bytes);
	return *ret ? LEAT_OK : leat_fail(err, LEAT_E_NOMEM, "state", LEAT_NO_OFFSET, "out of memory");
}

static enum leat_status take_rows(struct leat_snapshot *x, struct leat_store *s, const int32_t *pages,
				  struct leat_error *err)
{
	unsigned char *page;
	int64_t size = s->view.page_tokens;
	LEAT_TRY(page_room(s, &page, err));
	for (int64_t i = x->first / size; i * size < x->n_fed; i++) {
		leat_page_read(s, pages[i], page);
		page_rows(x, s, page, i, 0);
	}
	free(page);
	return LEAT_OK;
}

enum leat_status leat_snapshot_take(struct leat_store *s, const struct leat_prefix_key *key,
				    const struct leat_snapshot_place *at, struct leat_snapshot **ret,
				    struct leat_error *err)
{
	struct leat_snapshot head, *x;
	LEAT_TRY(leat_snapshot_describe(s, key, at, &head, err));
	LEAT_TRY(make(&head, &x, err));
	enum leat_status st = x->rows ? take_rows(x, s, pages_of(s, at), err) : LEAT_OK;
	if (st != LEAT_OK) {
		leat_snapshot_unref(x);
		return st;
	}
	if (x->cell && at->cell >= 0)
		leat_cell_read(s, at->cell, x->cell);
	*ret = x;
	return LEAT_OK;
}

enum leat_status leat_snapshot_empty(const struct leat_state_spec *spec, int n_spec, int n_layer,
				     const struct leat_prefix_key *key, struct leat_snapshot **ret,
				     struct leat_error *err)
{
	struct leat_snapshot head = { .key = *key, .n_spec = n_spec, .n_layer = n_layer };
	memcpy(head.spec, spec, (size_t)n_spec * sizeof *spec);
	LEAT_TRY(leat_snapshot_sizes(&head, err));
	return make(&head, ret, err);
}

static enum leat_status mismatch(struct leat_error *err, const char *field, long long found, long long wanted)
{
	leat_fail(err, LEAT_E_MISMATCH, field, LEAT_NO_OFFSET,
		  "the state does not belong to this model and engine: %s is %lld, wanted %lld", field, found, wanted);
	leat_err_code(err, "state_incompatible");
	return LEAT_E_MISMATCH;
}

static enum leat_status other_hash(struct leat_error *err, const char *field, const unsigned char *found,
				   const unsigned char *wanted)
{
	leat_fail(err, LEAT_E_MISMATCH, field, LEAT_NO_OFFSET,
		  "the state does not belong to this model and engine: hash of the %s is %02x%02x%02x%02x..., wanted "
		  "%02x%02x%02x%02x...",
		  field, found[0], found[1], found[2], found[3], wanted[0], wanted[1], wanted[2], wanted[3]);
	leat_err_code(err, "state_incompatible");
	return LEAT_E_MISMATCH;
}

/* A state of no tokens serves every mode: no arithmetic has touched it. */
static enum leat_status check_key(const struct leat_prefix_key *x, const struct leat_prefix_key *key, int fed,
				  struct leat_error *err)
{
	if (memcmp(x->model, key->model, sizeof x->model))
		return other_hash(err, "model", x->model, key->model);
	if (memcmp(x->adapter, key->adapter, sizeof x->adapter))
		return other_hash(err, "adapter", x->adapter, key->adapter);
	if (!fed)
		return LEAT_OK;
	if (x->mode != key->mode)
		return mismatch(err, "mode", x->mode, key->mode);
	if (x->window != key->window)
		return mismatch(err, "window", x->window, key->window);
	return x->rope_long == key->rope_long ? LEAT_OK : mismatch(err, "rope_long", x->rope_long, key->rope_long);
}

enum leat_status leat_snapshot_check(const struct leat_snapshot *x, const struct leat_store *s,
				     const struct leat_prefix_key *key, int n_vocab, int window, struct leat_error *err)
{
	LEAT_TRY(check_key(&x->key, key, x->n_fed > 0, err));
	if (x->rows_bytes && x->key.kv_type != s->view.kv_type)
		return mismatch(err, "kv_type", x->key.kv_type, s->view.kv_type);
	if (x->n_layer != s->n_layer)
		return mismatch(err, "layers", x->n_layer, s->n_layer);
	if (x->n_spec != s->n_spec)
		return mismatch(err, "tensors", x->n_spec, s->n_spec);
	for (int i = 0; i < s->n_spec; i++)
		if (x->spec[i].per_token != s->spec[i].per_token || x->spec[i].heads != s->spec[i].heads ||
		    x->spec[i].cols != s->spec[i].cols)
			return mismatch(err, "shape", x->spec[i].cols, s->spec[i].cols);
	for (int64_t i = 0; i < x->n_tokens; i++)
		if (x->tokens[i] < 0 || x->tokens[i] >= n_vocab)
			return mismatch(err, "tokens", x->tokens[i], n_vocab - 1);
	int64_t seen = window && x->n_fed >= window ? x->n_fed - window + 1 : 0;
	return s->view.page_bytes && x->first > seen ? mismatch(err, "rows", x->first, seen) : LEAT_OK;
}

static enum leat_status restore_rows(const struct leat_snapshot *x, struct leat_store *s, int slot,
				     struct leat_error *err)
{
	int64_t size = s->view.page_tokens;
	const int32_t *row = s->table + (size_t)slot * (size_t)s->view.page_table_cols;
	unsigned char *page;
	LEAT_TRY(page_room(s, &page, err));
	leat_slot_skip(s, slot, x->first);
	if (leat_slot_reserve(s, slot, x->n_fed)) {
		leat_slot_truncate(s, slot, 0);
		free(page);
		return leat_fail(err, LEAT_E_CONTEXT, "n_ctx", LEAT_NO_OFFSET,
				 "no room for a state of %lld tokens", (long long)x->n_fed);
	}
	for (int64_t i = x->first / size; i * size < x->n_fed; i++) {
		page_rows(x, s, page, i, 1);
		leat_page_write(s, row[i], page);
	}
	free(page);
	return LEAT_OK;
}

enum leat_status leat_snapshot_restore(const struct leat_snapshot *x, struct leat_store *s, int slot, int cell,
				       struct leat_error *err)
{
	if (s->view.page_bytes)
		leat_slot_truncate(s, slot, 0);
	if (x->rows)
		LEAT_TRY(restore_rows(x, s, slot, err));
	if (x->cell && cell >= 0)
		leat_cell_write(s, cell, x->cell);
	return LEAT_OK;
}
