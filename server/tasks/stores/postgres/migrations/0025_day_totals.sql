-- The sum of each day beside the list of its hours: what is asked by the day, or of many days, need not be added up of 24 counts each.
-- Older workers may go on: the server makes the sum itself. Counts are not folded meanwhile, a second or less for ten million tasks of a
-- month, and nobody waits for that.

ALTER TABLE :schema.day_tallies ADD COLUMN total bigint NOT NULL GENERATED ALWAYS AS (
  tasks[1] + tasks[2] + tasks[3] + tasks[4] + tasks[5] + tasks[6] + tasks[7] + tasks[8] + tasks[9] + tasks[10] + tasks[11] + tasks[12]
  + tasks[13] + tasks[14] + tasks[15] + tasks[16] + tasks[17] + tasks[18] + tasks[19] + tasks[20] + tasks[21] + tasks[22] + tasks[23]
  + tasks[24]) STORED;
