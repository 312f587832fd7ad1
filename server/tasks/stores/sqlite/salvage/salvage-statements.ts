/** The statements that read a damaged file: each needs as few of its pages as can be; see salvage.ts. */
import { recordValues } from "../record-statements.ts";

const isMissed = `EXISTS (SELECT 1 FROM json_each(?) AS gap
    WHERE tasks.seq BETWEEN gap.value ->> 0 AND gap.value ->> 1)`;

/** By the table alone, or by an index that has all of the columns. */
export const salvageSql = {
  tallied: "/* dure:salvageTallied */ SELECT sum(tasks) AS tasks FROM tallies",
  indexed: "/* dure:salvageIndexed */ SELECT count(*) AS tasks FROM tasks INDEXED BY tasks_id",
  lastPlaces: [
    "/* dure:salvageLast */ SELECT max(seq) AS last FROM tasks NOT INDEXED",
    "/* dure:salvageLast */ SELECT max(+seq) AS last FROM tasks INDEXED BY tasks_id",
    "/* dure:salvageLast */ SELECT max(seq) AS last FROM attempts",
    "/* dure:salvageLast */ SELECT max(seq) AS last FROM big_payloads",
    "/* dure:salvageLast */ SELECT fresh_to AS last FROM text_marks",
  ],
  lanes: "/* dure:salvageLanes */ SELECT lane, type, queue FROM lanes NOT INDEXED",
  lanesByIndex:
    "/* dure:salvageLanes */ SELECT lane, type, queue FROM lanes INDEXED BY sqlite_autoindex_lanes_1",
  workers: "/* dure:salvageWorkers */ SELECT worker, id FROM workers NOT INDEXED",
  workersByIndex:
    "/* dure:salvageWorkers */ SELECT worker, id FROM workers INDEXED BY sqlite_autoindex_workers_1",
  tasksFrom: (
    hasAttributes: boolean,
  ) => `/* dure:salvageTasks */ SELECT tasks.seq, lane, ${recordValues}, worker,
      cancel_requested_at, ${hasAttributes ? "attributes" : "NULL AS attributes"}
    FROM tasks NOT INDEXED WHERE seq >= ? ORDER BY seq LIMIT ?`,
  placeFrom: "/* dure:salvagePlace */ SELECT seq FROM tasks NOT INDEXED WHERE seq >= ? ORDER BY seq LIMIT 1",
  attemptsOf: `/* dure:salvageAttempts */ SELECT fence, number, worker, started_at, ended_at, outcome, error, late_outcome, logs
    FROM attempts WHERE seq = ? ORDER BY fence`,
  /** Places of the same ids: from both ends of the index, then of tasks as they were enqueued, then of those at rest. */
  missedIds: [
    `/* dure:salvageIds */ SELECT id FROM tasks INDEXED BY tasks_id WHERE ${isMissed} ORDER BY own_id, id`,
    `/* dure:salvageIds */ SELECT id FROM tasks INDEXED BY tasks_id WHERE ${isMissed} ORDER BY own_id DESC, id DESC`,
    `/* dure:salvageIds */ SELECT id FROM tasks INDEXED BY tasks_lane_fresh WHERE version = 1 AND ${isMissed}`,
    `/* dure:salvageIds */ SELECT id FROM tasks INDEXED BY tasks_lane_created
      WHERE status <> 2 AND version > 1 AND ${isMissed}`,
  ],
} as const;
