import { expect, test } from "vitest";
import { ThreadLink } from "./thread-link.ts";

test("what is asked of a thread that has died tells what it died of", async () => {
  const options = { path: ":memory:", durability: "full", role: "writer" } as const;
  const events = { changed: () => undefined, beat: () => undefined };
  const link = new ThreadLink({ ...options, pulse: new SharedArrayBuffer(8) }, Date.now, events);
  await link.open();
  link.tell("enqueuePart", undefined);
  const died = /^The thread that writes :memory: has died of TypeError: .+ Restart this process\.$/;
  await expect(link.request("stats", {})).rejects.toThrow(died);
  await expect(link.request("stats", {})).rejects.toThrow(died);
});
