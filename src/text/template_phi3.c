/* template_phi3.c - Phi-3 and Phi-3.5 (Microsoft's model card). There is no default system message. The marks of its
 * vocabulary are declared to swallow the blanks behind them, so the line breaks of the written form are no tokens. */
#include <stddef.h>

#include "text/template.h"

static const char *const signs[] = {"<|user|>", "<|assistant|>", "<|end|>", NULL};
static const char *const by_role[] = {"<|assistant|>", "<|end|>", "'<|' + message['role'] + '|>'", NULL};
static const char *const marks[] = {"<|system|>", "<|user|>", "<|assistant|>", "<|end|>", NULL};
static const char *const ends[] = {"<|end|>", "<|endoftext|>", NULL};

const struct leat_template leat_template_phi3 = {
	.name = "phi3",
	.signs = signs,
	.other_signs = by_role,
	.marks = marks,
	.ends = ends,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"<|system|>\n", "<|end|>\n"},
		[LEAT_ROLE_USER] = {"<|user|>\n", "<|end|>\n"},
		[LEAT_ROLE_ASSISTANT] = {"<|assistant|>\n", "<|end|>\n"},
	},
	.flags = LEAT_TEMPLATE_MARKS_EAT_BLANKS,
	.arch = "phi3",
};
