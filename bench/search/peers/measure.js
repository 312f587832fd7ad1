/**
 * Fills one peer with the tasks of records.ts, has it read some back, times its answers, and prints them as JSON:
 * node measure.js <bullmq|pg-boss|sidequest|agenda> <url of a database, or a folder> <tasks> <questions> <seconds each>
 */
import { draws, questions, timed } from "../questions.ts";
import { recordOf } from "../records.ts";

const peers = {
  bullmq: () => import("./bullmq.js"),
  "pg-boss": () => import("./pg-boss.js"),
  sidequest: () => import("./sidequest.js"),
  agenda: () => import("./agenda.js"),
};
const batch = 5_000;
const checks = 500;
const findings = 20;

const [name, place, countText, questionsText, secondsText] = process.argv.slice(2);
const count = Number(countText);
const now = Date.now();
const { open } = await peers[name]();
const peer = await open(place);
try {
  const fillRate = await fill();
  await check();
  process.stdout.write(`\n${JSON.stringify({ fillRate, answers: await answers() })}\n`);
} finally {
  await peer.close();
}
process.exit(0);

async function fill() {
  const startedAt = performance.now();
  for (let first = 0; first < count; first += batch) {
    const places = Array.from({ length: Math.min(batch, count - first) }, (_, n) => first + n);
    await peer.write(places.map((place) => ({ place, record: recordOf(place, count, now, "history") })));
    if (first % 100_000 === 0) process.stderr.write(`\r${name}: ${first} jobs`);
  }
  process.stderr.write("\r");
  const rate = (count / (performance.now() - startedAt)) * 1_000;
  await peer.settleDown?.();
  return rate;
}

/** What the peer's own calls read must be what was written: some of the jobs, and their number. */
async function check() {
  const draw = draws(count, now);
  for (let n = 0; n < checks; n += 1) {
    const given = draw();
    const { type, status, payload } = given.record;
    const expected = shown({ type, status, payload: JSON.parse(payload.json) });
    const seen = shown(await peer.read(given));
    if (seen !== expected) throw new Error(`${name} read ${seen} where ${expected} was written`);
    for (const question of n < findings ? ["by-id", "payload-path"] : []) {
      const found = (await peer.asks[question]?.(given)) ?? 1;
      if (found !== 1) throw new Error(`${name} found ${found} jobs by ${question}, not the one`);
    }
  }
  const counted = await peer.count();
  if (counted !== count) throw new Error(`${name} counts ${counted} jobs where ${count} were written`);
}

function shown({ type, status, payload }) {
  return JSON.stringify([type, status, inOrder(payload)]);
}

/** jsonb keeps keys in an order of its own. */
function inOrder(value) {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, inOrder(inner)]),
  );
}

async function answers() {
  const limits = { questionsMax: Number(questionsText), secondsMax: Number(secondsText) };
  const figures = {};
  for (const { name: question } of questions) {
    const ask = peer.asks[question];
    if (!ask) continue;
    process.stderr.write(`\r${name}: ${question}            `);
    const answer = (given) => async () => (await ask(given)) >= 0;
    figures[question] = await timed(answer, draws(count, now), limits);
  }
  process.stderr.write("\r");
  return figures;
}
