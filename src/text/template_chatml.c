/* template_chatml.c - ChatML, as Qwen and many others use it (openai/openai-python, chatml.md; Qwen2 model card). The
 * system message that Qwen2 and Qwen2.5 write when nobody gives one is read from the file's own template. */
#include <stddef.h>

#include "text/template.h"

static const char *const marks[] = {"<|im_start|>", "<|im_end|>", NULL};
static const char *const ends[] = {"<|im_end|>", "<|endoftext|>", NULL};

const struct leat_template leat_template_chatml = {
	.name = "chatml",
	.signs = marks,
	.marks = marks,
	.ends = ends,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"<|im_start|>system\n", "<|im_end|>\n"},
		[LEAT_ROLE_USER] = {"<|im_start|>user\n", "<|im_end|>\n"},
		[LEAT_ROLE_ASSISTANT] = {"<|im_start|>assistant\n", "<|im_end|>\n"},
	},
};
