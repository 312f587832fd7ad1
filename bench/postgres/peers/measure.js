/** Measures one peer at one question and prints the figures as JSON: node measure.js <peer> <question> <tasks> <url> */
import { fork } from "node:child_process";
import { once } from "node:events";
import { openGraphileWorker } from "./graphile-worker.js";
import { openPgBoss } from "./pg-boss.js";

const peers = { "graphile-worker": openGraphileWorker, "pg-boss": openPgBoss };
const payload = {
  url: "https://example.com/pictures/12345678901234567890.png",
  widthPx: 640,
  note: "twenty-two characters.",
};
const bulkSize = 1_000;
const now = () => performance.timeOrigin + performance.now();

const questions = {
  "bulk-enqueue": async (peer, count) => {
    const startedAt = performance.now();
    await peer.enqueueMany(fill(count));
    return { rate: rate(count, startedAt) };
  },
  "one-by-one": async (peer, count) => {
    for (let n = 0; n < 100; n++) await peer.enqueue(payload);
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
  /** Half of the tasks are this process's, half another's; both start together. */
  "drain-by-two": async (peer, count) => {
    await peer.enqueueMany(fill(count));
    const child = fork(import.meta.filename, [peerName, "help", "0", url]);
    await once(child, "message");
    let ended = 0;
    const startedAt = performance.now();
    const done = new Promise((resolve) => {
      const end = () => {
        ended += 1;
        if (ended === count) resolve();
      };
      child.on("message", (ends) => {
        for (let n = 0; n < ends; n++) end();
      });
      child.send("start");
      peer.work(() => undefined, end, true);
    });
    await done;
    const figures = { rate: rate(count, startedAt) };
    child.send("stop");
    await once(child, "exit");
    return figures;
  },
  help: async (peer) => {
    process.send("ready");
    await once(process, "message");
    let ended = 0;
    const told = setInterval(() => {
      if (ended > 0) process.send(ended);
      ended = 0;
    }, 5);
    peer.work(
      () => undefined,
      () => {
        ended += 1;
      },
      true,
    );
    await once(process, "message");
    clearInterval(told);
    process.disconnect();
    return {};
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
    await peer.work((given) => started?.(now() - given.sentAt));
    for (let n = 0; n < count + 20; n++) {
      const start = new Promise((resolve) => {
        started = resolve;
      });
      await peer.enqueue({ ...payload, sentAt: now() });
      const wait = await start;
      if (n >= 20) waits.push(wait);
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 4));
    }
    waits.sort((a, b) => a - b);
    return { p50: waits[Math.floor(count * 0.5)], p99: waits[Math.floor(count * 0.99)] };
  },
};

const [peerName, question, countText, url] = process.argv.slice(2);
const peer = await peers[peerName](url);
let figures;
try {
  figures = await questions[question](peer, Number(countText));
} finally {
  await peer.close();
}
process.stdout.write(`${JSON.stringify(figures)}\n`, () => process.exit(0));

function fill(count) {
  return Array.from({ length: count }, () => payload);
}

function rate(count, startedAt) {
  return (count / (performance.now() - startedAt)) * 1_000;
}

/** Resolves when `count` tasks have been run and their ends stored. */
function drained(peer, count) {
  let ended = 0;
  return new Promise((resolve) => {
    peer.work(
      () => undefined,
      () => {
        ended += 1;
        if (ended === count) resolve();
      },
      true,
    );
  });
}
