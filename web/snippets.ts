/** The code and commands that empty views offer first. */
export const firstTask = `import { defineTask } from "dure";

const sendReceipt = defineTask("send-receipt", async (task) => {
  // task.payload is what was enqueued
});

await sendReceipt.enqueue({ orderId: 42 });`;

export const startWorker = "npx dure worker tasks/*.ts";
