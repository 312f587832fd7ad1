/** The modules that the tests of the command line share: pictures, receipts and reports. */

/** Definitions only: one that succeeds, one that fails, one that lasts until it is told to stop. */
export const definitions = `
import { defineTask } from "dure";

defineTask("resize-image", async (task, context) => {
  context.log.info("resizing", { widthPx: task.payload.widthPx });
  context.progress(1, 3, "first size");
  return { widthPx: task.payload.widthPx };
}, { description: "Makes three sizes of a picture", tags: ["image"] });

defineTask("send-receipt", async () => {
  throw new Error("mailbox full", { cause: new Error("quota") });
}, { maxAttempts: 2, backoff: { first: "10ms" } });

defineTask("nightly-report", (task, { signal }) => new Promise((resolve, reject) => {
  signal.addEventListener("abort", () => reject(signal.reason));
}));
`;

/** The same, and one task of each but the last. */
export const program = `${definitions}
import { enqueueTask } from "dure";
await enqueueTask("resize-image", { widthPx: 640 }, { id: "picture-1" });
await enqueueTask("send-receipt", { order: 17 }, { id: "receipt-17" });
`;
