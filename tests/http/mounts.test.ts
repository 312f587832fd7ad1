/** The handler below a path of the frameworks that the guide shows, each as it is shown there. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { getRequestListener } from "@hono/node-server";
import { Hono } from "hono";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { createHttpHandler, type HttpHandler } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
const basePath = "/ops/dure";
const json = { "content-type": "application/json" };
let dure: Dure;
let handler: HttpHandler;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send-receipt", async () => undefined);
  await dure.enqueueTask("send-receipt", { order: 1 }, { id: "order-1", delay: "1h" });
  const role = (request: Request) => (request.headers.get("x-role") === "ops" ? "operator" : null);
  handler = createHttpHandler(dure, { basePath, authorize: role });
});

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

afterAll(() => dure.close());

async function addressOf(server: Server): Promise<string> {
  if (!server.listening) await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  closing.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// Their types are not ours to compile.
const framework = async (name: string): Promise<any> => (await import(name)).default;

const mounts: Record<string, () => Promise<string>> = {
  "node:http": () => addressOf(createServer(getRequestListener(handler))),
  Hono: () => {
    const app = new Hono();
    app.all(`${basePath}/*`, (context) => handler(context.req.raw));
    return addressOf(createServer(getRequestListener(app.fetch)));
  },
  Express: async () => {
    const express = await framework("express");
    const app = express();
    app.all(`${basePath}{/*path}`, getRequestListener(handler));
    app.use(express.json());
    return addressOf(createServer(app));
  },
  Fastify: async () => {
    const fastify = await framework("fastify");
    const app = fastify();
    const listener = getRequestListener(handler);
    app.register(async (part: any) => {
      part.removeAllContentTypeParsers();
      part.addContentTypeParser("*", (_request: any, _body: any, done: any) => done(null));
      part.all(`${basePath}/*`, (request: any, reply: any) => {
        reply.hijack();
        return listener(request.raw, reply.raw);
      });
    });
    await app.ready();
    closing.push(() => app.close());
    return addressOf(app.server);
  },
};

test("a body that was read before it came here is refused, not taken for an empty one", async () => {
  const express = await framework("express");
  const app = express();
  app.use(express.json());
  app.all(`${basePath}{/*path}`, getRequestListener(handler));
  const base = await addressOf(createServer(app));
  const answer = await fetch(`${base}${basePath}/api/tasks/order-1`, {
    method: "PATCH",
    headers: { "x-role": "ops", ...json },
    body: JSON.stringify({ priority: 3 }),
  });
  expect(answer.status).toBe(400);
  expect(await answer.json()).toMatchObject({ message: expect.stringContaining("express.json()") });
});

describe.each(Object.entries(mounts))("below a path of %s", (name, start) => {
  const ops = { "x-role": "ops" };

  test("the page, its files, the API, changes and live streams are there, and nothing beside them", async () => {
    const base = `${await start()}${basePath}`;
    const page = await (await fetch(`${base}/tasks/order-1`)).text();
    // Without a built dashboard there is none.
    if (page.includes("<base")) expect(page).toContain(`<base href="${basePath}/" />`);
    expect((await fetch(`${base}/api/stats`)).status).toBe(401);
    const tasks = (await (await fetch(`${base}/api/tasks?limit=5`, { headers: ops })).json()) as any;
    expect(tasks.tasks).toContainEqual(expect.objectContaining({ id: "order-1" }));
    const priority = Object.keys(mounts).indexOf(name) + 5;
    const edited = await fetch(`${base}/api/tasks/order-1`, {
      method: "PATCH",
      headers: { ...ops, ...json },
      body: JSON.stringify({ priority }),
    });
    expect({ status: edited.status, ...((await edited.json()) as object) }).toMatchObject({
      status: 200,
      task: { priority },
    });
    expect(
      (await fetch(`${base}/api/tasks/order-1`, { method: "DELETE", headers: { ...ops, ...json } })).status,
    ).toBe(403);
    const stop = new AbortController();
    const events = await fetch(`${base}/api/events`, { headers: ops, signal: stop.signal });
    const { value } = await events.body!.getReader().read();
    expect(new TextDecoder().decode(value)).toContain("retry: 2000");
    stop.abort();
    expect((await fetch(base.replace(basePath, "/api/stats"), { headers: ops })).status).toBe(404);
  });
});
