/** What a handler can say of a failure, and what an operator can do about a task. */
import { setTimeout as pause } from "node:timers/promises";
import { createDure, NonRetryableError, RetryAfter } from "dure";

const dure = createDure({ database: ":memory:" });

const resizeImage = dure.defineTask(
  "resize-image",
  async (task, { attempt, signal }) => {
    switch (task.payload.source) {
      case "slow-server":
        if (attempt < 3) throw new RetryAfter("20ms", `The server answered 503 at attempt ${attempt}.`);
        return `resized at attempt ${attempt}`;
      case "broken.png":
        throw new NonRetryableError("It is not a picture: trying again is no use.");
      default:
        await pause(60_000, undefined, { signal });
        return "never reached";
    }
  },
  { maxAttempts: 5 },
);

await dure.start();
console.log(await resizeImage.run({ source: "slow-server" }));

const broken = await resizeImage.enqueue({ source: "broken.png" });
const failed = await dure.waitForTask(broken.id);
console.log(`${failed.status} after ${failed.attempts} attempt: ${failed.error}`);

const long = await resizeImage.enqueue({ source: "huge.tiff" });
while ((await dure.getTaskById(long.id))?.status !== "RUNNING") await pause(5);
await dure.cancelTask(long.id);
console.log(`A running task, cancelled: ${(await dure.waitForTask(long.id)).status}`);

const again = await dure.retryTask(long.id);
console.log(`Retried by an operator: ${again.status}, ${again.attempts} attempts charged`);
await dure.cancelTask(long.id);
for (const { fence, outcome } of await dure.listAttempts(broken.id))
  console.log(`Attempt ${fence} of the broken picture: ${outcome}`);
await dure.close();
