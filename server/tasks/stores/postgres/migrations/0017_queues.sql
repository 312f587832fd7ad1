-- The lanes of one queue, for those who ask how many tasks wait in it. Older workers may go on; of lanes there are few.

CREATE INDEX lanes_queue ON :schema.lanes (queue);
