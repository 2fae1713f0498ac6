/* act.h - activation functions that a product's epilogue can apply. */
#ifndef LEAT_PLAN_ACT_H
#define LEAT_PLAN_ACT_H

enum leat_act {
	LEAT_ACT_NONE,
	LEAT_ACT_TANH,
	LEAT_ACT_SIGMOID,
	LEAT_ACT_SILU,       /* x * sigmoid(x) */
	LEAT_ACT_RELU2,      /* max(x, 0)^2 */
	LEAT_ACT_RWKV_DECAY, /* exp(-exp(-1/2) * sigmoid(x)): RWKV-7's w in (0.545, 1), arXiv:2503.14456 */
	LEAT_ACT_COUNT
};

#endif
