/**
 * npm run bench:http: how long the dashboard's questions take on a large store, and what many open dashboards cost.
 *
 *   node bench/http/run.ts bench/.data/search-history-10000000.db --dashboards 50
 *
 * The server is `dure dashboard` in a process of its own. A worker in this one runs some two hundred tasks a second while
 * questions are asked and while much changes.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { seeded } from "../../tests/support/seeded.ts";
import { kinds } from "../search/kinds.ts";
import { percentile } from "../support/numbers.ts";
import { createDure } from "../support/product.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dashboards: { type: "string", default: "50" },
    requests: { type: "string", default: "300" },
    seconds: { type: "string", default: "10" },
  },
});
const database = positionals[0]!;
const token = "bench-token-0123456789";
/** One caller may hold no more live connections. */
const perCaller = 20;
const main = fileURLToPath(new URL("../../dist/server/cli/main.js", import.meta.url));
const server = spawn(process.execPath, [main, "dashboard", "--port", "0", "--database", database, "--json"], {
  env: { ...process.env, DURE_TOKEN: token },
  stdio: ["ignore", "pipe", "inherit"],
});
process.on("exit", () => server.kill());
const [first] = (await once(server.stdout, "data")) as [Buffer];
const base = new URL("/api/", /http:\/\/[^\s"?]+/.exec(first.toString())![0]);
const headers = { authorization: `Bearer ${token}` };

const table = new Table({ head: ["question", "p50 ms", "p99 ms"], style: { head: [] } });
const random = seeded(7);
const stopLoad = await startLoad();
const specified = kinds.find(({ name }) => name.startsWith("any specified"))!;
await measure("a page of the task list", () => {
  const search = specified.search(random, Date.now()) as Record<string, unknown>;
  const query = new URLSearchParams({ limit: "50", definitions: "false" });
  for (const [name, key] of [
    ["type", "type"],
    ["status", "status"],
    ["sort", "sortBy"],
    ["order", "sortOrder"],
  ] as const) {
    if (search[key]) query.set(name, String(search[key]));
  }
  return `tasks?${query}`;
});
const day = 86_400_000;
const views: [name: string, path: () => string][] = [
  ["overview: stats", () => "stats"],
  ["overview: what needs attention", () => "attention"],
  [
    "overview: history of a day",
    () => `history?from=${new Date(Date.now() - day).toISOString()}&bucket=hour`,
  ],
  ["tasks: facets by status", () => "summary?by=status"],
  [
    "tasks: a query",
    () => `tasks?q=${encodeURIComponent('status:failed "ETIMEDOUT"')}&limit=100&definitions=false`,
  ],
  ["errors", () => "errors"],
  ["workers", () => "workers"],
  ["definitions", () => "definitions"],
];
/** What the overview and the list of tasks ask anew after a hint of a change, once a second at most. */
const asked = [
  "stats",
  "workers",
  "attention",
  "tasks?limit=100&definitions=false&attributes=true",
  `history?bucket=minute&from=${new Date(Date.now() - 3_600_000).toISOString()}`,
];
for (const [name, path] of views) await measure(name, path, 20);
console.log(table.toString());
await stopLoad();
await dashboards(Number(values.dashboards));
server.kill();

async function measure(name: string, path: () => string, count = Number(values.requests)): Promise<void> {
  const times: number[] = [];
  for (let n = -3; n < count; n += 1) {
    const startedAt = performance.now();
    const response = await fetch(new URL(path(), base), { headers });
    const text = await response.text();
    if (!response.ok) throw new Error(`${name}: ${response.status} ${text.slice(0, 200)}`);
    if (n >= 0) times.push(performance.now() - startedAt);
  }
  table.push([name, percentile(times, 50).toFixed(1), percentile(times, 99).toFixed(1)]);
}

/** Tasks come and are run until it is told to stop. */
async function startLoad(): Promise<() => Promise<void>> {
  const dure = createDure({ database, retention: false, worker: { queues: ["bench"] } });
  const definition = dure.defineTask("bench-load", async () => undefined, { queue: "bench" });
  await dure.start();
  const timer = setInterval(() => {
    void definition.enqueueMany(Array.from({ length: 10 }, () => ({ payload: null })));
  }, 50);
  return async () => {
    clearInterval(timer);
    await dure.stop();
    await dure.close();
  };
}

/** Opens so many dashboards; what the server's process uses of a core while nothing changes, and while much does. */
async function dashboards(count: number): Promise<void> {
  const ending = new AbortController();
  const callers = Array.from({ length: Math.ceil(count / perCaller) }, (_, n) => `bench-${n}`);
  const tokens = callers.map((name) => tokensCommand("create", name, "--expires", "1h").token);
  let events = 0;
  for (let n = 0; n < count; n += 1) {
    const { body, ok, status } = await fetch(new URL("events", base), {
      headers: { authorization: `Bearer ${tokens[Math.floor(n / perCaller)]}` },
      signal: ending.signal,
    });
    if (!ok) throw new Error(`Dashboard ${n + 1} is refused: ${status}`);
    void follow(body!, () => {
      events += 1;
    }).catch(() => undefined);
  }
  await sleep(1_000);
  const idle = await used();
  const stopLoad = await startLoad();
  events = 0;
  const busy = await used();
  await stopLoad();
  ending.abort();
  for (const name of callers) tokensCommand("revoke", name);
  const perStream = events / count / Number(values.seconds);
  console.log(
    `${count} open dashboards: ${idle.toFixed(1)} % of a core while nothing changes, ${busy.toFixed(1)} % while ` +
      `200 tasks a second run (${perStream.toFixed(1)} events a second each).`,
  );
}

function tokensCommand(...words: string[]): { token: string } {
  const { stdout } = spawnSync(process.execPath, [
    main,
    "tokens",
    ...words,
    "--database",
    database,
    "--json",
  ]);
  return JSON.parse(stdout.toString());
}

/** As a page does: every hint is heard, and followed once a second at most. */
async function follow(body: ReadableStream<Uint8Array>, heard: () => void): Promise<void> {
  let askedAt = 0;
  for await (const _ of body) {
    heard();
    if (performance.now() - askedAt < 1_000) continue;
    askedAt = performance.now();
    void Promise.all(asked.map(askAsPage)).catch(() => undefined);
  }
}

async function askAsPage(path: string): Promise<void> {
  const taking = { ...headers, "cache-control": "max-age=1" };
  await (await fetch(new URL(path, base), { headers: taking })).arrayBuffer();
}

/** Percent of a core that the server's process uses over some seconds; Linux only. */
async function used(): Promise<number> {
  const ticks = () => {
    const fields = readFileSync(`/proc/${server.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  const before = ticks();
  await sleep(Number(values.seconds) * 1_000);
  return (ticks() - before) / Number(values.seconds);
}
