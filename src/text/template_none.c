/* template_none.c - no template: the messages as they are, a line break after a system message and after an answer.
 * For models that go on with a text, and for experiments. */
#include <stddef.h>

#include "text/template.h"

const struct leat_template leat_template_none = {
	.name = "none",
	.frame = {
		[LEAT_ROLE_SYSTEM] = {"", "\n"},
		[LEAT_ROLE_USER] = {"", ""},
		[LEAT_ROLE_ASSISTANT] = {"", "\n"},
	},
};
