-- Counts by the minute lie in the order of time, all lanes of a minute side by side; and counts by the day are kept. A commit writes
-- fewer pages, and what is left of a day's hours at both ends is read in one go. Older workers may go on: the counts by the day are
-- kept by the file itself. Each month in which sixty lanes had tasks in every minute takes some four seconds.

CREATE TABLE minute_tallies_by_time (
  lane INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (minute, lane, state)
) STRICT, WITHOUT ROWID;

INSERT INTO minute_tallies_by_time (lane, minute, state, tasks, changed)
  SELECT lane, minute, state, tasks, changed FROM minute_tallies ORDER BY minute, lane, state;

DROP TABLE minute_tallies;
ALTER TABLE minute_tallies_by_time RENAME TO minute_tallies;

-- The sums of hour_tallies by the day since 1970, of each day before the mark: the newest day that has tasks, which most commits
-- count in, is not among them, so that these write nothing more. 719162 days lie between year 1 and 1970.
CREATE TABLE day_tallies (
  lane INTEGER NOT NULL,
  day INTEGER NOT NULL,
  state INTEGER NOT NULL,
  tasks INTEGER NOT NULL,
  changed INTEGER NOT NULL,
  PRIMARY KEY (day, lane, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE day_mark (day INTEGER NOT NULL) STRICT;

INSERT INTO day_mark (day) SELECT coalesce((max(hour) + 17259888) / 24 - 719162, -719162) FROM hour_tallies;
INSERT INTO day_tallies (lane, day, state, tasks, changed)
  SELECT lane, (hour + 17259888) / 24 - 719162, state, sum(tasks), sum(changed) FROM hour_tallies
  WHERE hour < (SELECT day FROM day_mark) * 24 GROUP BY 2, 1, 3;

-- Not by the program, for one of the version before may write beside it.
CREATE TRIGGER days_begun AFTER INSERT ON hour_tallies WHEN NEW.hour >= (SELECT day + 1 FROM day_mark) * 24 BEGIN
  INSERT INTO day_tallies (lane, day, state, tasks, changed)
    SELECT kept.lane, (hour + 17259888) / 24 - 719162, state, sum(tasks), sum(changed)
    FROM (SELECT 0 AS lane UNION ALL SELECT lane FROM lanes) AS own CROSS JOIN hour_tallies AS kept
    WHERE kept.lane = own.lane AND hour >= (SELECT day FROM day_mark) * 24 AND hour < ((NEW.hour + 17259888) / 24 - 719162) * 24
    GROUP BY 1, 2, 3;
  UPDATE day_mark SET day = (NEW.hour + 17259888) / 24 - 719162;
END;
CREATE TRIGGER days_inserted AFTER INSERT ON hour_tallies WHEN NEW.hour < (SELECT day FROM day_mark) * 24 BEGIN
  INSERT INTO day_tallies (lane, day, state, tasks, changed)
    VALUES (NEW.lane, (NEW.hour + 17259888) / 24 - 719162, NEW.state, NEW.tasks, NEW.changed)
    ON CONFLICT DO UPDATE SET tasks = tasks + excluded.tasks, changed = changed + excluded.changed;
END;
CREATE TRIGGER days_updated AFTER UPDATE ON hour_tallies WHEN NEW.hour < (SELECT day FROM day_mark) * 24 BEGIN
  UPDATE day_tallies SET tasks = tasks - OLD.tasks + NEW.tasks, changed = changed - OLD.changed + NEW.changed
    WHERE day = (NEW.hour + 17259888) / 24 - 719162 AND lane = NEW.lane AND state = NEW.state;
END;
CREATE TRIGGER days_deleted AFTER DELETE ON hour_tallies WHEN OLD.hour < (SELECT day FROM day_mark) * 24 BEGIN
  UPDATE day_tallies SET tasks = tasks - OLD.tasks, changed = changed - OLD.changed
    WHERE day = (OLD.hour + 17259888) / 24 - 719162 AND lane = OLD.lane AND state = OLD.state;
  DELETE FROM day_tallies WHERE day = (OLD.hour + 17259888) / 24 - 719162 AND lane = OLD.lane AND state = OLD.state
    AND tasks = 0 AND changed = 0;
END;
