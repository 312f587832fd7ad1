/** A first task: defined once, enqueued, run by a worker in this very process, its result awaited. */
import { mkdir, writeFile } from "node:fs/promises";
import { createDure } from "dure";

interface ReportPayload {
  userId: string;
  reportType: "daily" | "monthly";
}

const dure = createDure({ database: ".dure/first-task.db" });

const nightlyReport = dure.defineTask(
  "nightly-report",
  async (task: { id: string; payload: ReportPayload }) => {
    const { userId, reportType } = task.payload;
    const file = `.dure/${userId}-${reportType}.txt`;
    await mkdir(".dure", { recursive: true });
    await writeFile(file, `A ${reportType} report for ${userId}, made by task ${task.id}.\n`);
    return { file, madeAt: new Date() };
  },
  { description: "Writes a user's report", maxAttempts: 3 },
);

console.log(`Defined ${nightlyReport.id}: ${nightlyReport.description}`);
await dure.start();
const { file, madeAt } = await nightlyReport.run({ userId: "user-42", reportType: "daily" });
console.log(`${file} was written in ${madeAt.getFullYear()}.`);
await dure.close();
