-- Texts that may have been cut: those of 64 KiB and more, since a text is cut at so many UTF-16 units, each of them a byte at
-- least. A value is looked up by the texts, which of these do not tell what comes later. Older workers may go on. While the
-- index is made, some seconds for ten million texts, no text is written, and what deletes tasks waits.

CREATE INDEX texts_cut ON :schema.texts (created_at, task_id) WHERE octet_length(body) >= 65536;
