/* template_llama2.c - Llama 2 chat (Meta's model card). Each exchange is a text of its own, from BOS to EOS; the system
 * message stands inside the first message. */
#include <stddef.h>

#include "text/template.h"

static const char *const signs[] = {"[INST]", "[/INST]", "<<SYS>>", NULL};
static const char *const marks[] = {"[INST]", "[/INST]", NULL};

const struct leat_template leat_template_llama2 = {
	.name = "llama2",
	.signs = signs,
	.marks = marks,
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
		[LEAT_ROLE_USER] = {LEAT_TEMPLATE_BOS "[INST] ", " [/INST]"},
		[LEAT_ROLE_ASSISTANT] = {"", " " LEAT_TEMPLATE_EOS},
	},
	.lead = " ",
	.flags = LEAT_TEMPLATE_TRIM | LEAT_TEMPLATE_SYSTEM_IN_USER | LEAT_TEMPLATE_MARKS_OPTIONAL |
		 LEAT_TEMPLATE_OWN_BOS,
};
