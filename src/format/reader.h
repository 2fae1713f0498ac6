/* reader.h - what the readers of src/format share: growing a leat_file, files beside it, JSON as metadata. */
#ifndef LEAT_FORMAT_READER_H
#define LEAT_FORMAT_READER_H

#include "base/json.h"
#include "format/file.h"

/* Builds the hash indexes and refuses duplicate names (E_FORMAT); call at the end of parse. */
enum leat_status leat_file_index(struct leat_file *f, struct leat_error *err);

/* Room for n more tensors, at f->tensor[f->n_tensors]; zeroed, not counted yet. E_LIMIT beyond `limit` in all. */
enum leat_status leat_file_more_tensors(struct leat_file *f, uint64_t n, uint64_t limit, struct leat_error *err);

/* Appends an entry and counts it; its key is a copy of prefix.key (prefix may be ""). E_LIMIT beyond LEAT_MAX_KEYS. */
enum leat_status leat_file_add_meta(struct leat_file *f, const char *prefix, const char *key, size_t n_key,
				    struct leat_meta **ret, struct leat_error *err);
enum leat_status leat_file_add_string(struct leat_file *f, const char *prefix, const char *key, size_t n_key,
				      const char *s, size_t n, struct leat_error *err);

/* Appends all of a JSON object, flattened (file.h); what has no place in metadata is left out. */
enum leat_status leat_file_add_json(struct leat_file *f, const char *prefix, json_t *object, struct leat_error *err);

/* Takes a map over as the next of the model's files, on failure too. */
enum leat_status leat_file_add_map(struct leat_file *f, struct leat_map *m, struct leat_error *err);

/* The last component of f->path. */
const char *leat_file_name(const struct leat_file *f);

/* Opens name beside the model as its next file, under the rules of leat_file_sibling. */
enum leat_status leat_file_add_part(struct leat_file *f, const char *name, struct leat_error *err);

/* Parses the file `name` beside the model as a JSON object of at most max_bytes; messages name it. *ret NULL: there is
 * none. */
enum leat_status leat_file_json(const struct leat_file *f, const char *name, uint64_t max_bytes, json_t **ret,
				struct leat_error *err);

/* Appends the tensors of map[part], a safetensors file, and the strings of its __metadata__ when part is 0. */
enum leat_status leat_safetensors_read(struct leat_file *f, int part, struct leat_error *err);

/* Reads the folder f->dir_fd as Hugging Face lays it out; index: name of the index, NULL to look for the weights. */
enum leat_status leat_hf_read_folder(struct leat_file *f, const char *index, struct leat_error *err);

/* Appends the configuration files beside the weights, those that there are. */
enum leat_status leat_hf_read_configs(struct leat_file *f, struct leat_error *err);

/* Says whose names the tensors carry, once all are there: sets source and is_adapter. */
void leat_hf_settle_source(struct leat_file *f);

#endif
