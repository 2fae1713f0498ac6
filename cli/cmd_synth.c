/* cmd_synth.c - leat synth: a model file of random weights in the shape of a published model. */
#include <stdio.h>
#include <string.h>

#include "bench/synth.h"
#include "cli.h"

static int list(struct cli *c)
{
	struct leat_synth_result r;
	struct leat_error e = LEAT_ERROR_INIT;
	const char *shape, *type;
	int i, k;

	if (!c->json)
		cli_printf("%-14s %-5s %14s %8s %18s\n", "shape", "type", "file bytes", "tensors", "read per token");
	for (i = 0; (shape = leat_synth_shape_at(i)); i++) {
		for (k = 0; (type = leat_synth_type_at(k)); k++) {
			if (leat_synth_plan(shape, type, &r, &e))
				return cli_fail(c, &e, 0);
			cli_printf(c->json ? "{\"schema\":\"leat.synth/"
					     "1\",\"shape\":\"%s\",\"type\":\"%s\",\"file_bytes\":%llu,"
					     "\"n_tensors\":%llu,\"read_bytes_per_token\":%llu}\n"
					   : "%-14s %-5s %14llu %8llu %18llu\n",
				   shape, type, (unsigned long long)r.file_bytes, (unsigned long long)r.n_tensors,
				   (unsigned long long)r.read_bytes_per_token);
		}
	}
	return 0;
}

static void report(const struct cli *c, const struct leat_synth_params *p, const struct leat_synth_result *r)
{
	double mb_s = (double)r->file_bytes / 1e6 / (r->seconds > 0 ? r->seconds : 1e-9);

	if (c->json) {
		cli_puts("{\"schema\":\"leat.synth/1\",\"file\":");
		cli_json_string(p->path, strlen(p->path));
		cli_printf(",\"shape\":\"%s\",\"type\":\"%s\",\"seed\":%llu,\"file_bytes\":%llu,\"n_tensors\":%llu,"
			   "\"n_params\":%llu,\"read_bytes_per_token\":%llu,\"seconds\":%.3f,\"ffn_density\":",
			   p->shape, p->type, (unsigned long long)p->seed, (unsigned long long)r->file_bytes,
			   (unsigned long long)r->n_tensors, (unsigned long long)r->n_params,
			   (unsigned long long)r->read_bytes_per_token, r->seconds);
		if (r->ffn_density > 0)
			cli_json_number(r->ffn_density);
		else
			cli_puts("null");
		cli_puts("}\n");
		return;
	}
	cli_printf("%s: %llu bytes, %llu tensors, %llu parameters, %llu bytes read per token\n", p->path,
		   (unsigned long long)r->file_bytes, (unsigned long long)r->n_tensors, (unsigned long long)r->n_params,
		   (unsigned long long)r->read_bytes_per_token);
	if (r->ffn_density > 0)
		cli_printf("ffn density: asked %g, estimated %.4f on 8192 keys of the first layer\n", p->ffn_density,
			   r->ffn_density);
	cli_note(c, "leat: %.2f s, %.0f MB/s\n", r->seconds, mb_s);
}

static int run(struct cli *c)
{
	struct leat_synth_params p;
	struct leat_synth_result r;
	struct leat_error e = LEAT_ERROR_INIT;
	const struct cli_value *v = c->value;

	if (v[OPT_LIST_SHAPES].i)
		return list(c);
	if (c->n_args != 3)
		return cli_usage_error(c, "wanted SHAPE, TYPE and OUT; leat synth --list shows shapes and types");
	if (!strcmp(v[OPT_SYNTH_SEED].s, "-1"))
		return cli_usage_error(c, "--seed: '-1' would be a file that nobody can make again; give a number");
	memset(&p, 0, sizeof(p));
	p.shape = c->args[0];
	p.type = c->args[1];
	p.path = c->args[2];
	p.seed = (uint64_t)v[OPT_SYNTH_SEED].i;
	p.ffn_density = v[OPT_FFN_DENSITY].f;
	p.stop = cli_signal;
	p.force = (int)v[OPT_FORCE].i;
	if (leat_synth_write(&p, &r, &e))
		return cli_fail(c, &e, 1);
	report(c, &p, &r);
	return 0;
}

const struct leat_cmd leat_cmd_synth = {
	.name = "synth",
	.alias = "",
	.summary = "write a random-weight model in the shape of a real one, for timing",
	.usage = "synth SHAPE TYPE OUT [--seed N] [--ffn-density D] [--force]",
	.notes = "\nThe file loads like any other GGUF; what it says means nothing. Same seed, same file.\n",
	.examples = {
		{ "leat synth --list", "shapes, types and sizes" },
		{ "leat synth qwen2.5-0.5b q8_0 m.gguf && leat bench m.gguf", "speed of a model one does not have" },
	},
	.bit = C_SYNTH,
	.max_args = 3,
	.run = run,
};
