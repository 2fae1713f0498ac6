/* synth.c - plan, describe, fill, write. */
#include "bench/synth.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "bench/outfile.h"
#include "bench/synth_parts.h"

enum { CHUNK = 1 << 18 }; /* elements made at once: stays in a core's cache */

/* Everything up to `offset` that is not there yet. */
static enum leat_status pad(struct leat_outfile *file, uint64_t offset, struct leat_error *err)
{
	static const unsigned char zeros[64];

	return file->bytes < offset ? leat_outfile_write(file, zeros, (size_t)(offset - file->bytes), err) : LEAT_OK;
}

/* One thread: it makes weights several times faster than a file takes them, and two writers of one file only queue. */
static enum leat_status write_data(const struct synth_model *m, const struct synth_fill *fill,
				   const struct leat_synth_params *p,
				   const struct leat_gguf_out *out, struct leat_outfile *file, unsigned char *buffer,
				   struct leat_error *err)
{
	int i;

	for (i = 0; i < m->n_tensors; i++) {
		const struct synth_tensor *t = &m->tensor[i];
		uint64_t first;
		LEAT_TRY(pad(file, leat_gguf_out_offset(out, (size_t)i), err));
		for (first = 0; first < t->n; first += CHUNK) {
			size_t n = t->n - first < CHUNK ? (size_t)(t->n - first) : CHUNK;
			if (p->stop && p->stop())
				return leat_fail(err, LEAT_E_CANCELLED, "", LEAT_NO_OFFSET, "stopped");
			leat_synth_fill(fill, i, p->seed, first, n, buffer);
			LEAT_TRY(leat_outfile_write(file, buffer, leat_synth_bytes(t->type, n), err));
		}
	}
	return pad(file, leat_gguf_out_file_bytes(out), err);
}

static enum leat_status write_file(const struct leat_synth_params *p, const struct synth_model *m,
				   const struct synth_fill *fill, struct leat_gguf_out *out, unsigned char *buffer,
				   struct leat_error *err)
{
	struct leat_outfile file;
	const unsigned char *head;
	size_t n_head;
	enum leat_status s;

	LEAT_TRY(leat_gguf_out_header(out, &head, &n_head, err));
	LEAT_TRY(leat_outfile_open(&file, p->path, p->force, err));
	s = leat_outfile_write(&file, head, n_head, err);
	if (!s)
		s = write_data(m, fill, p, out, &file, buffer, err);
	/* Made again in seconds, so nobody has to wait for the disk. */
	if (!s)
		return leat_outfile_commit(&file, 0, err);
	leat_outfile_abort(&file);
	return s;
}

static enum leat_status make(const struct leat_synth_params *p, const struct synth_model *m, struct leat_gguf_out *out,
			     struct leat_synth_result *r, struct leat_error *err)
{
	struct synth_fill *fill = leat_synth_fill_create(m);
	unsigned char *buffer = malloc((size_t)CHUNK * 4);
	enum leat_status s;

	if (fill && buffer)
		s = write_file(p, m, fill, out, buffer, err);
	else
		s = leat_fail(err, LEAT_E_NOMEM, "synth", LEAT_NO_OFFSET, "out of memory");
	if (!s)
		r->file_bytes = leat_gguf_out_file_bytes(out);
	if (!s && m->density > 0)
		r->ffn_density = leat_synth_density(fill, m, p->seed);
	leat_synth_fill_destroy(fill);
	free(buffer);
	return s;
}

static void sizes(const struct synth_model *m, struct leat_synth_result *r)
{
	r->n_tensors = (uint64_t)m->n_tensors;
	r->n_params = m->n_params;
	r->read_bytes_per_token = m->read_bytes;
}

enum leat_status leat_synth_write(const struct leat_synth_params *p, struct leat_synth_result *ret,
				  struct leat_error *err)
{
	struct synth_model m;
	struct leat_gguf_out *out = NULL;
	struct leat_synth_result r;
	uint64_t start = leat_now_ns();
	enum leat_status s;

	memset(&r, 0, sizeof(r));
	if (p->ffn_density < 0 || p->ffn_density >= 1)
		return leat_fail(err, LEAT_E_ARG, "ffn-density", LEAT_NO_OFFSET, "density %g is not in 0..1",
				 p->ffn_density);
	LEAT_TRY_GOTO(s, done, leat_synth_layout(&m, p->shape, p->type, p->ffn_density, err));
	LEAT_TRY_GOTO(s, done, leat_gguf_out_create(&out, err));
	LEAT_TRY_GOTO(s, done, leat_synth_head(&m, out, err));
	s = make(p, &m, out, &r, err);
	sizes(&m, &r);
	r.seconds = (double)(leat_now_ns() - start) * 1e-9;
	if (!s)
		*ret = r;
done:
	leat_gguf_out_destroy(out);
	free(m.tensor);
	return s;
}

enum leat_status leat_synth_plan(const char *shape, const char *type, struct leat_synth_result *ret,
				 struct leat_error *err)
{
	struct synth_model m;
	struct leat_gguf_out *out = NULL;
	struct leat_synth_result r;
	const unsigned char *head;
	size_t n_head;
	enum leat_status s;

	memset(&r, 0, sizeof(r));
	LEAT_TRY_GOTO(s, done, leat_synth_layout(&m, shape, type, 0, err));
	LEAT_TRY_GOTO(s, done, leat_gguf_out_create(&out, err));
	LEAT_TRY_GOTO(s, done, leat_synth_head(&m, out, err));
	LEAT_TRY_GOTO(s, done, leat_gguf_out_header(out, &head, &n_head, err));
	r.file_bytes = leat_gguf_out_file_bytes(out);
	sizes(&m, &r);
	*ret = r;
done:
	leat_gguf_out_destroy(out);
	free(m.tensor);
	return s;
}
