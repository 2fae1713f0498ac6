/* pages.c - pages with reference counts, and the slots that line them up. */
#include "state/store.h"

static int32_t *row_of(const struct leat_store *s, int slot)
{
	return s->table + (size_t)slot * (size_t)s->view.page_table_cols;
}

static unsigned char *page_at(const struct leat_store *s, int page)
{
	return s->view.pages + (size_t)page * s->view.page_bytes;
}

/* Pages that hold n_tokens rows. */
static int64_t pages_for(const struct leat_store *s, int64_t n_tokens)
{
	return n_tokens / s->view.page_tokens + (n_tokens % s->view.page_tokens != 0);
}

/* 1 if n pages cannot be had. */
static int want(struct leat_store *s, int64_t n)
{
	if (n > s->n_free_page && n <= s->n_pages && s->reclaim) {
		s->counts.n_reclaims++;
		s->reclaim(s->reclaim_user, (int)n - s->n_free_page, 0);
	}
	return n > s->n_free_page;
}

static int pop(struct leat_store *s)
{
	int page = s->free_page[--s->n_free_page], used = s->n_pages - s->n_free_page;
	s->page_refs[page] = 1;
	if (used > s->counts.peak_pages)
		s->counts.peak_pages = used;
	return page;
}

void leat_page_ref(struct leat_store *s, int page)
{
	s->page_refs[page]++;
	s->counts.n_shared++;
}

void leat_page_unref(struct leat_store *s, int page)
{
	if (page >= 0 && --s->page_refs[page] == 0)
		s->free_page[s->n_free_page++] = page;
}

int leat_page_take(struct leat_store *s)
{
	return want(s, 1) ? LEAT_NO_PAGE : pop(s);
}

void leat_page_copy(struct leat_store *s, int to, int from)
{
	s->backend->copy(s->dev, page_at(s, to), page_at(s, from), s->view.page_bytes);
}

void leat_page_read(struct leat_store *s, int page, void *dst)
{
	s->backend->copy(s->dev, dst, page_at(s, page), s->view.page_bytes);
}

void leat_page_write(struct leat_store *s, int page, const void *src)
{
	s->backend->copy(s->dev, page_at(s, page), src, s->view.page_bytes);
}

int leat_slot_take(struct leat_store *s)
{
	if (!s->n_free_slot)
		return -1;
	int slot = s->free_slot[--s->n_free_slot];
	s->slot_pages[slot] = s->slot_first[slot] = 0;
	return slot;
}

/* Keeps the first n columns. */
static void drop_from(struct leat_store *s, int slot, int64_t n)
{
	const int32_t *row = row_of(s, slot);
	while (s->slot_pages[slot] > n)
		leat_page_unref(s, row[--s->slot_pages[slot]]);
	if (s->slot_first[slot] > s->slot_pages[slot])
		s->slot_first[slot] = s->slot_pages[slot];
}

void leat_slot_give(struct leat_store *s, int slot)
{
	if (slot < 0)
		return;
	drop_from(s, slot, 0);
	s->free_slot[s->n_free_slot++] = slot;
}

int leat_slot_reserve(struct leat_store *s, int slot, int64_t n_tokens)
{
	int64_t need;
	int32_t *row;
	if (!s->view.page_bytes)
		return 0;
	need = pages_for(s, n_tokens);
	if (need > s->view.page_table_cols || want(s, need - s->slot_pages[slot]))
		return 1;
	row = row_of(s, slot);
	while (s->slot_pages[slot] < need)
		row[s->slot_pages[slot]++] = pop(s);
	return 0;
}

int leat_slot_prepare(struct leat_store *s, int slot, int64_t first, int64_t n_tokens)
{
	int32_t *row = row_of(s, slot);
	if (!s->view.page_bytes)
		return 0;
	if (first < leat_slot_first(s, slot) || leat_slot_reserve(s, slot, n_tokens))
		return 1;
	for (int64_t i = first / s->view.page_tokens; i < pages_for(s, n_tokens); i++) {
		int own;
		if (s->page_refs[row[i]] == 1)
			continue;
		own = leat_page_take(s); /* reclaiming may make the page the slot's own; a copy is right anyway */
		if (own < 0)
			return 1;
		leat_page_copy(s, own, row[i]);
		leat_page_unref(s, row[i]);
		s->counts.n_page_copies++;
		row[i] = own;
	}
	return 0;
}

void leat_slot_share(struct leat_store *s, int slot, const int32_t *pages, int n_pages)
{
	int32_t *row = row_of(s, slot);
	for (int i = 0; i < n_pages; i++) {
		row[i] = pages[i];
		if (pages[i] >= 0)
			leat_page_ref(s, pages[i]);
		else
			s->slot_first[slot] = i + 1;
	}
	s->slot_pages[slot] = n_pages;
}

int leat_slot_fork(struct leat_store *s, int to, int from, int64_t n_tokens)
{
	const int32_t *row = row_of(s, from);
	int64_t whole = s->view.page_bytes ? n_tokens / s->view.page_tokens : 0;
	int part = s->view.page_bytes && n_tokens % s->view.page_tokens, page = LEAT_NO_PAGE;
	if (part) {
		page = leat_page_take(s);
		if (page < 0)
			return 1;
		leat_page_copy(s, page, row[whole]);
	}
	leat_slot_share(s, to, row, (int)whole);
	if (part)
		row_of(s, to)[s->slot_pages[to]++] = page;
	return 0;
}

void leat_slot_skip(struct leat_store *s, int slot, int64_t first)
{
	int n = (int)(first / s->view.page_tokens);
	for (int i = 0; i < n; i++)
		row_of(s, slot)[i] = LEAT_NO_PAGE;
	s->slot_pages[slot] = s->slot_first[slot] = n;
}

void leat_slot_truncate(struct leat_store *s, int slot, int64_t n_tokens)
{
	if (s->view.page_bytes)
		drop_from(s, slot, pages_for(s, n_tokens));
}

void leat_slot_trim(struct leat_store *s, int slot, int64_t first)
{
	int32_t *row = row_of(s, slot);
	if (!s->view.page_bytes)
		return;
	while (s->slot_first[slot] < s->slot_pages[slot] && s->slot_first[slot] < first / s->view.page_tokens) {
		int32_t *page = &row[s->slot_first[slot]++];
		leat_page_unref(s, *page);
		*page = LEAT_NO_PAGE;
		s->counts.n_trimmed++;
	}
}

int64_t leat_slot_first(const struct leat_store *s, int slot)
{
	return (int64_t)s->slot_first[slot] * s->view.page_tokens;
}
