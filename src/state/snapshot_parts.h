/* snapshot_parts.h - what snapshot.c and snapshot_bytes.c share. */
#ifndef LEAT_STATE_SNAPSHOT_PARTS_H
#define LEAT_STATE_SNAPSHOT_PARTS_H

#include "state/snapshot.h"

/* cell_bytes and rows_bytes from shape, key.kv_type and tokens. E_FORMAT: they overflow, or the type is unknown. */
enum leat_status leat_snapshot_sizes(struct leat_snapshot *x, struct leat_error *err);

/* E_FORMAT: a value is not finite. */
enum leat_status leat_snapshot_finite(const struct leat_snapshot *x, struct leat_error *err);

#endif
