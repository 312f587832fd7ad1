/** Every fault in turn, at random, for as long as wanted: `npm run soak:postgres`. See soak-faults.ts. */
import { setTimeout as sleep } from "node:timers/promises";
import { test, vi } from "vitest";
import { CuttingProxy } from "../support/cutting-proxy.ts";
import { FaultWorld } from "../support/fault-world.ts";
import { PostgresServer } from "../support/postgres-server.ts";

const minutes = Number(process.env.DURE_SOAK_MINUTES ?? 0);

vi.setConfig({ testTimeout: (minutes + 5) * 60_000 });

test("nothing is lost, whatever fails", async ({ skip }) => {
  if (minutes === 0) skip("a long run: npm run soak:postgres -- 10");
  const server = await PostgresServer.start();
  const proxy = await CuttingProxy.start(server.url());
  const world = await FaultWorld.open({ url: proxy.url(server.url()), checkUrl: server.url(), workers: 4 });

  const faults: Record<string, () => Promise<unknown>> = {
    "backends terminated": () => server.terminateBackends(),
    "server restarted": () => server.restart("fast"),
    "server restarted at once": () => server.restart("immediate"),
    "server killed": async () => {
      await server.kill();
      await sleep(1_000 * Math.random());
      await server.start();
    },
    "connections cut": async () => proxy.cut(),
    "connections silenced": async () => {
      proxy.silence();
      await sleep(10_000);
    },
    "network slow": async () => {
      proxy.delayMs = 200 * Math.random();
      await sleep(2_000);
      proxy.heal();
    },
    "network away": async () => {
      proxy.refuses = true;
      proxy.cut();
      await sleep(8_000 * Math.random());
      proxy.heal();
    },
    "answers lost": async () => {
      for (let count = 0; count < 10; count += 1) {
        const lost = proxy.loseAnswer(/INSERT|UPDATE|COMMIT/i, { forward: Math.random() < 0.5 });
        await Promise.race([lost, sleep(500)]);
      }
      proxy.heal();
    },
    "read only": async () => {
      await server.set({ default_transaction_read_only: "on" });
      await sleep(2_000);
      await server.set({ default_transaction_read_only: "off" });
    },
  };

  const end = performance.now() + minutes * 60_000;
  const load = world.load();
  let done = 0;
  while (performance.now() < end) {
    const names = Object.keys(faults);
    const name = names[Math.floor(names.length * Math.random())]!;
    await faults[name]!();
    done += 1;
    const tookMs = await world.workersGoOn(60_000);
    console.log(`${name}: workers went on after ${Math.round(tookMs)} ms; ${world.acknowledged.size} tasks`);
    await sleep(1_000 * Math.random());
  }
  await load.end();
  await world.check();
  console.log(
    `${done} faults, ${world.acknowledged.size} tasks acknowledged, refused:`,
    Object.fromEntries(world.refusals),
  );
  await world.close();
  await proxy.close();
  await server.remove();
});
