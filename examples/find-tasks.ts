/** Finding: by status, by type, by time, page by page, and one by its id. */
import { createDure, TaskStatus } from "dure";

const dure = createDure({ database: ":memory:" });
const sendReceipt = dure.defineTask("send-receipt", async (task) => `order ${task.payload.order} sent`);
dure.defineTask("resize-image", async () => undefined, { description: "Has no task yet" });

const startedAt = new Date();
const receipts = await sendReceipt.enqueueMany(
  Array.from({ length: 7 }, (_, order) => ({ payload: { order } })),
);

const waiting = await dure.searchTasks({
  status: TaskStatus.PENDING,
  sortBy: "createdAt",
  sortOrder: "asc",
  limit: 3,
});
console.log(
  `The first ${waiting.length} that wait: ${waiting.map((task) => (task.id === receipts[0]!.id ? "the first receipt" : task.type)).join(", ")}`,
);

await dure.start();
await Promise.all(receipts.map(({ id }) => dure.waitForTask(id)));
console.log(
  `Completed since the start: ${await dure.countTasks({ status: "COMPLETED", createdAtRange: { start: startedAt } })}`,
);

let page = await dure.searchTaskPage({ type: "send-receipt", sortBy: "id", sortOrder: "asc", limit: 3 });
for (let number = 1; ; number++) {
  console.log(`Page ${number}: orders ${page.tasks.map((task) => task.payload.order).join(", ")}`);
  if (!page.nextCursor) break;
  page = await dure.searchTaskPage({
    type: "send-receipt",
    sortBy: "id",
    sortOrder: "asc",
    limit: 3,
    cursor: page.nextCursor,
  });
}

const receipt = await dure.getTaskById(receipts[3]!.id);
console.log(`One by its id: ${receipt?.status}, "${receipt?.result}"`);
const definition = await dure.getTaskById("resize-image");
console.log(
  `A definition is found as well: ${definition?.id}, ${definition?.status}, "${definition?.description}"`,
);
console.log(`Nothing has the id no-such-task: ${await dure.getTaskById("no-such-task")}`);
await dure.close();
