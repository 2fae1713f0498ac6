/* scan.c - see scan.h. */
#include "bench/scan.h"

#include <math.h>

#include "format/file.h"
#include "quant/quant.h"

/* Elements decoded at a time: a multiple of every format's block. */
enum { PIECE = 4096 };

struct bad {
	uint64_t first, count;
};

static void look(const float *v, uint64_t n, uint64_t begin, struct bad *bad)
{
	for (uint64_t i = 0; i < n; i++) {
		if (isfinite(v[i]))
			continue;
		if (!bad->count++)
			bad->first = begin + i;
	}
}

static enum leat_status scan_tensor(const struct leat_tensor *t, const struct leat_quant *q, int (*stop)(void),
				    uint64_t *ret_n, struct leat_error *err)
{
	const unsigned char *blocks = t->data;
	uint64_t n_total = t->bytes / (uint64_t)q->block_bytes * (uint64_t)q->block_elems, n;
	struct bad bad = { 0, 0 };
	float piece[PIECE];
	char name[96];

	for (uint64_t at = 0; at < n_total; at += n) {
		n = n_total - at < PIECE ? n_total - at : PIECE;
		q->dequant(piece, blocks + leat_quant_bytes(q, (size_t)at), (size_t)n);
		look(piece, n, at, &bad);
		if (stop && at % (PIECE * 1024) == 0 && stop())
			return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped");
	}
	*ret_n = n_total;
	if (!bad.count)
		return LEAT_OK;
	return leat_fail(err, LEAT_E_NONFINITE, leat_str_show(t->name, name),
			 t->offset + leat_quant_bytes(q, (size_t)(bad.first / (uint64_t)q->block_elems *
								  (uint64_t)q->block_elems)),
			 "tensor '%s': %llu of %llu numbers are NaN or infinite, the first is number %llu", name,
			 (unsigned long long)bad.count, (unsigned long long)n_total, (unsigned long long)bad.first);
}

enum leat_status leat_scan_weights(const char *path, int (*stop)(void), struct leat_scan *ret, struct leat_error *err)
{
	struct leat_scan s = { 0, 0, 0 };
	struct leat_file *f;
	enum leat_status status = LEAT_OK;

	LEAT_TRY(leat_file_open(path, &f, err));
	for (uint64_t i = 0; i < f->n_tensors && status == LEAT_OK; i++) {
		int index = leat_quant_of_type(f->tensor[i].type);
		uint64_t n = 0;
		if (index < 0) {
			s.n_unread++;
			continue;
		}
		status = scan_tensor(&f->tensor[i], leat_quant_at(index), stop, &n, err);
		s.n_tensors++;
		s.n_numbers += n;
	}
	leat_file_close(f);
	if (status == LEAT_OK)
		*ret = s;
	return status;
}
