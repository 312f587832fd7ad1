import { expect, test } from "vitest";
import { ThreadLink } from "./thread-link.ts";

test("of a database in memory nothing is left when its thread dies, and whatever is asked is told why", async () => {
  const options = { path: ":memory:", durability: "full", role: "writer" } as const;
  const events = { changed: () => undefined, beat: () => undefined, startedAgain: () => undefined };
  const link = new ThreadLink({ ...options, pulse: new SharedArrayBuffer(8) }, Date.now, events);
  await link.open();
  link.tell("enqueuePart", undefined);
  const died =
    /^The thread that writes :memory: has died of TypeError: .+, and all that was in memory is gone with it\. Restart this process\.$/;
  await expect(link.request("stats", {})).rejects.toThrow(died);
  await expect(link.request("stats", {})).rejects.toThrow(died);
});
