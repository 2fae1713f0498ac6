/* template_llama3.c - Llama 3 Instruct (Meta's model card). There is no default system message; the lines with dates
 * that Llama 3.1 puts into one are left out. */
#include <stddef.h>

#include "text/template.h"

static const char *const signs[] = {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", NULL};
static const char *const ends[] = {"<|eot_id|>", "<|end_of_text|>", "<|eom_id|>", NULL};

const struct leat_template leat_template_llama3 = {
	.name = "llama3",
	.signs = signs,
	.marks = signs,
	.ends = ends,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"<|start_header_id|>system<|end_header_id|>\n\n", "<|eot_id|>"},
		[LEAT_ROLE_USER] = {"<|start_header_id|>user<|end_header_id|>\n\n", "<|eot_id|>"},
		[LEAT_ROLE_ASSISTANT] = {"<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>"},
	},
	.flags = LEAT_TEMPLATE_TRIM,
};
