import type pg from "pg";
import { expect, test } from "vitest";
import { KeptConnections } from "./kept-connections.ts";

/** Notes which are given back to the pool. */
function connections(count: number) {
  const released: number[] = [];
  const clients = Array.from({ length: count }, (_, n) => {
    const client = { ref: () => undefined, unref: () => undefined, release: () => released.push(n) };
    return client as unknown as pg.PoolClient;
  });
  return { kept: new KeptConnections(), clients, released };
}

const ended = Promise.resolve(false);

test("the one that was used last is asked next, and one that was made ready before all others", () => {
  const { kept, clients } = connections(3);
  const [first, ready, last] = clients as [pg.PoolClient, pg.PoolClient, pg.PoolClient];
  kept.madeReady(ready);
  for (const client of [first, ready, last]) expect(kept.keep(client, ended)).toBe(true);
  expect([kept.take(), kept.take(), kept.take(), kept.take()]).toEqual([ready, last, first, undefined]);
});

test("of more than three the ready one is kept in place of the one that waited longest", async () => {
  const { kept, clients, released } = connections(5);
  kept.madeReady(clients[4]!);
  expect(clients.map((client) => kept.keep(client, ended))).toEqual([true, true, true, false, true]);
  await ended;
  expect(released).toEqual([0]);
  expect(kept.take()).toBe(clients[4]);
});

test("whoever wants any connection has the one that waited longest, which is ready no more", () => {
  const { kept, clients } = connections(2);
  for (const client of clients) kept.keep(client, ended);
  kept.madeReady(clients[0]!);
  expect([kept.giveUp(), kept.hasReady]).toEqual([clients[0], false]);
  expect(kept.giveUp()).toBe(clients[1]);
  expect(kept.giveUp()).toBeUndefined();
});

test("one that is lost, or that the pool has again, is ready no more", async () => {
  const { kept, clients } = connections(2);
  for (const client of clients) kept.madeReady(client);
  kept.lose(clients[0]!);
  expect(kept.hasReady).toBe(true);
  kept.keep(clients[1]!, ended);
  kept.end();
  expect(kept.hasReady).toBe(false);
  kept.madeReady(clients[0]!);
  expect(kept.hasReady).toBe(false);
});
