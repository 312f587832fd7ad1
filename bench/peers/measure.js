/**
 * Measures one peer at one question and prints the figures as JSON: node measure.js <peer> <question> [tasks]
 * Plain JavaScript, because it runs under whichever Node better-sqlite3 was built for.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openBullmq } from "./bullmq.js";
import { openPlainjob } from "./plainjob.js";

const peers = { plainjob: openPlainjob, bullmq: openBullmq };
const payload = {
  url: "https://example.com/pictures/12345678901234567890.png",
  widthPx: 640,
  note: "twenty-two characters.",
};
const bulkSize = 1_000;

const questions = {
  "bulk-enqueue": async (peer, count) => {
    const startedAt = performance.now();
    await peer.enqueueMany(fill(count));
    return { rate: rate(count, startedAt) };
  },
  "one-by-one": async (peer, count) => {
    const startedAt = performance.now();
    for (let n = 0; n < count; n++) await peer.enqueue(payload);
    return { rate: rate(count, startedAt) };
  },
  drain: async (peer, count) => {
    await peer.enqueueMany(fill(count));
    const startedAt = performance.now();
    await drained(peer, count);
    return { rate: rate(count, startedAt) };
  },
  "at-once": async (peer, count) => {
    const startedAt = performance.now();
    const done = drained(peer, count);
    for (let n = 0; n < count; n += bulkSize) {
      await peer.enqueueMany(fill(bulkSize));
      await new Promise(setImmediate);
    }
    await done;
    return { rate: rate(count, startedAt) };
  },
  latency: async (peer, count) => {
    const waits = [];
    let started;
    await peer.work(() => started?.(performance.now()));
    for (let n = 0; n < count + 50; n++) {
      const start = new Promise((resolve) => {
        started = resolve;
      });
      const enqueuedAt = performance.now();
      await peer.enqueue(payload);
      const startedAt = await start;
      if (n >= 50) waits.push(startedAt - enqueuedAt);
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 4));
    }
    waits.sort((a, b) => a - b);
    return { p50: waits[Math.floor(count * 0.5)], p99: waits[Math.floor(count * 0.99)] };
  },
};

const [peerName, question, countText = "100000"] = process.argv.slice(2);
const folder = mkdtempSync(join(process.env.DURE_BENCH_DATA ?? ".", `peer-${peerName}-`));
const peer = await peers[peerName](folder);
let figures;
try {
  figures = await questions[question](peer, Number(countText));
} finally {
  await peer.close();
  rmSync(folder, { recursive: true, force: true });
}
process.stdout.write(`${JSON.stringify({ ...figures, node: process.version })}\n`, () => process.exit(0));

function fill(count) {
  return Array.from({ length: count }, () => payload);
}

function rate(count, startedAt) {
  return (count / (performance.now() - startedAt)) * 1_000;
}

/** Resolves when `count` tasks have been run and their ends stored. */
async function drained(peer, count) {
  let ended = 0;
  await new Promise((resolve) => {
    peer.work(
      () => undefined,
      () => {
        ended += 1;
        if (ended === count) resolve();
      },
    );
  });
}
