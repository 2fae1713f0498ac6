/* hook.c - leat_model_hook_at, control vectors, leat_model_embedding_rows. */
#include "api/api.h"
#include "model/points.h"
#include "quant/quant.h"

enum leat_status leat_model_hook_at(struct leat_model *m, int32_t index, struct leat_hook_point *ret,
				    struct leat_error *err)
{
	const struct leat_points *points;
	if (m->vocab_only)
		return leat_fail(err, LEAT_E_ARG, "model", LEAT_NO_OFFSET,
				 "the model was opened for its vocabulary only");
	LEAT_TRY(leat_model_points(m, &points, err));
	if (index < 0 || index >= points->n)
		return leat_fail(err, LEAT_E_ARG, "index", LEAT_NO_OFFSET, "index is %d, wanted 0 to %d", index,
				 points->n - 1);
	const struct leat_point *p = &points->at[index];
	const struct leat_state_spec *spec = p->state < 0 ? NULL : &m->w.spec[p->state];
	struct leat_hook_point r = {
		.struct_size = sizeof r, .width = p->cols, .first_layer = p->first_layer, .last_layer = p->last_layer,
		.name = p->name, .outputs_only = p->rows == LEAT_ROWS_OUTPUTS,
		.state_floats = spec ? (uint64_t)spec->heads * (uint64_t)spec->cols : 0,
	};
	leat_info_give(ret, &r, sizeof r);
	return LEAT_OK;
}

void leat_control_vector_add(void *user, struct leat_hook_rows *rows)
{
	const struct leat_control_vector *v = user;
	if (v->width != rows->width || v->strength == 0.0f)
		return;
	for (int32_t r = 0; r < rows->n_rows; r++) {
		float *x = rows->data + (uint64_t)r * rows->stride;
		if (rows->first_position + r < v->from_position)
			continue;
		for (int32_t i = 0; i < rows->width; i++)
			x[i] += v->strength * v->direction[i];
	}
}

enum leat_status leat_model_embedding_rows(const struct leat_model *m, const int32_t *ids, size_t n, float *ret,
					   struct leat_error *err)
{
	const struct leat_weight *w = m->w.table;
	if (m->vocab_only)
		return leat_fail(err, LEAT_E_ARG, "model", LEAT_NO_OFFSET,
				 "the model was opened for its vocabulary only");
	for (size_t i = 0; i < n; i++) {
		if (ids[i] < 0 || ids[i] >= w->rows)
			return leat_fail(err, LEAT_E_ARG, "ids", LEAT_NO_OFFSET, "token %zu is %d, wanted 0 to %d", i,
					 ids[i], w->rows - 1);
		const unsigned char *src = (const unsigned char *)w->data + (size_t)ids[i] * w->row_bytes;
		leat_quant_at(w->quant)->dequant(ret + i * (size_t)w->cols, src, (size_t)w->cols);
	}
	return LEAT_OK;
}
