/** The tasks that every measurement uses, so that figures can be compared. */
import { randomBytes } from "node:crypto";
import { createIds } from "../../server/tasks/core/ids.ts";

/** About 100 bytes as JSON. */
export const payload = {
  url: "https://example.com/pictures/12345678901234567890.png",
  widthPx: 640,
  note: "twenty-two characters.",
};
export const payloadJson = JSON.stringify(payload);

export const typeName = "bench-task";

/** ULIDs as the product makes them; `now` may be set to any time. */
export function taskIds(now: () => number = Date.now): () => string {
  return createIds(now, randomBytes).taskId;
}
