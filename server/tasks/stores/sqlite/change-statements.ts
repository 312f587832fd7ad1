/** The statements of the change feed; see changes.ts. */

/** Until a cancel request is obeyed, it is the latest change of a running task. */
const runningAt = "max(updated_at, coalesce(cancel_requested_at, updated_at))";

export const changeSql = {
  latestChange: "/* dure:latestChange */ SELECT coalesce(max(changed_at), -62135596800000) FROM tallies",
  insertClockStep: "/* dure:insertClockStep */ INSERT INTO clock_steps (at) VALUES (?)",
  joinClockSteps: `/* dure:joinClockSteps */ UPDATE clock_steps
    SET at = min(at, coalesce((SELECT at FROM clock_steps WHERE step = ?1), at)) WHERE step = ?1 + 1`,
  dropClockStep: "/* dure:dropClockStep */ DELETE FROM clock_steps WHERE step = ?",
  setChangesBack: "/* dure:setChangesBack */ UPDATE tallies SET changed_at = min(changed_at, ?)",
  clockSteps:
    "/* dure:clockSteps */ SELECT coalesce(max(step), 0), min(CASE WHEN step > ? THEN at END) FROM clock_steps",
  changedPairs: `/* dure:changedPairs */ SELECT lane, status FROM tallies
    WHERE changed_at >= ? AND status <> 2 ORDER BY lane, status`,
  // A place before the id '' is before every task of the instant.
  changesAfter: `/* dure:changesAfter */ SELECT updated_at, id, seq, version FROM tasks INDEXED BY tasks_lane_updated
    WHERE status <> 2 AND version > 1 AND lane = ?1 AND status = ?2 AND (updated_at, id) > (?3, ?4) AND updated_at <= ?6
    ORDER BY updated_at, id LIMIT ?5`,
  runningChanges: `/* dure:runningChanges */ SELECT ${runningAt} AS at, id, seq, version
    FROM tasks INDEXED BY tasks_running WHERE status = 2 AND worker IS NOT NULL AND at >= ?`,
  /** Also those that came with a history of their own, from before what is told as a change. */
  storedAfter: `/* dure:storedAfter */ SELECT seq, id, created_at FROM tasks
    WHERE seq > ?1 AND (version = 1 OR updated_at < ?2) ORDER BY seq LIMIT ?3`,
  seqMark:
    "/* dure:seqMark */ SELECT seq, id, created_at FROM tasks WHERE seq <= ? ORDER BY seq DESC LIMIT 1",
  isSeqMark: "/* dure:isSeqMark */ SELECT 1 FROM tasks WHERE seq = ? AND id = ? AND created_at = ?",
} as const;
