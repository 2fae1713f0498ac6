/* memory.c - leat_engine_get_memory and what it is compared with. */
#include "api/api.h"
#include "base/meminfo.h"

static uint64_t token_bytes(const struct leat_store *s)
{
	return leat_store_token_bytes(s->spec, s->n_spec, s->n_layer, s->view.kv_type);
}

void leat_engine_get_memory(struct leat_engine *e, struct leat_memory_info *info)
{
	struct leat_store_counts n;
	leat_drive_lock(e);
	const struct leat_store *s = e->store;
	leat_store_get_counts(s, &n);
	struct leat_memory_info r = {
		.struct_size = sizeof r,
		.page_tokens = s->view.page_bytes ? s->view.page_tokens : 0,
		.weights_bytes = leat_file_bytes(e->model->w.file),
		.copies_bytes = e->bound_bytes,
		.token_bytes = token_bytes(s),
		.sequence_bytes = 2 * s->cell_bytes,
		.reserved_bytes = s->cells_bytes + s->pages_bytes,
		.resident_bytes = leat_store_resident(s),
		.used_bytes = (uint64_t)n.used_pages * s->view.page_bytes + (uint64_t)n.used_cells * s->cell_bytes,
		.peak_used_bytes = (uint64_t)n.peak_pages * s->view.page_bytes + (uint64_t)n.peak_cells * s->cell_bytes,
		.spill_bytes = (uint64_t)n.n_spills * s->cell_bytes,
		.scratch_bytes = atomic_load_explicit(&e->told_scratch_bytes, memory_order_relaxed),
		.books_bytes = s->book_bytes + e->step.block_bytes,
	};
	leat_drive_unlock(e);
	r.process_bytes = leat_process_bytes();
	leat_info_give(info, &r, sizeof r);
}

/* With a window, the pages that a sequence holds at once: those of the window, and of one step. */
static uint64_t most_pages(const struct leat_engine *e)
{
	uint64_t rows = (uint64_t)leat_engine_window(e), page = (uint64_t)e->store->view.page_tokens;
	return rows ? (rows + (uint64_t)e->n_batch + page - 2) / page + 1 : UINT64_MAX;
}

uint64_t leat_engine_predict_bytes(const struct leat_engine *e, uint64_t n_tokens, uint32_t n_seqs)
{
	const struct leat_store *s = e->store;
	uint64_t pages = 0, most = most_pages(e);
	if (n_seqs > (uint32_t)e->n_seqs || n_tokens > (uint64_t)e->n_ctx)
		return UINT64_MAX;
	if (s->view.page_bytes) {
		uint64_t size = (uint64_t)s->view.page_tokens;
		pages = n_tokens / size + (n_tokens % size != 0);
		pages = pages < most ? pages : most;
	}
	/* one step writes the state into one cell, the next one into the other */
	return n_seqs * (pages * s->view.page_bytes + (n_tokens ? 2 * s->cell_bytes : 0));
}
