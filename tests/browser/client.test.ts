/** The client in a real browser, from the built package as it lies there, on a page of the server that mounts the API. */
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { getRequestListener } from "@hono/node-server";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { createHttpHandler } from "../../server/http.ts";
import { openBrowser } from "./support/browser.ts";

const built = join(import.meta.dirname, "../../dist/server");
let browser: Browser;
let dure: Dure;
let server: Server;

beforeAll(async () => {
  browser = await openBrowser();
  dure = createDure({ database: ":memory:" });
  dure.defineTask("send-receipt", async ({ payload }) => payload.order + 1);
  await dure.start();
  const api = getRequestListener(
    createHttpHandler(dure, { basePath: "/ops/dure", authorize: () => "operator" }),
  );
  server = createServer(async (request, response) => {
    if (request.url!.startsWith("/ops/dure/")) return void api(request, response);
    const isScript = request.url!.endsWith(".js");
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? await readFile(join(built, request.url!)) : "<!doctype html><title>shop</title>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
}, 60_000);

afterAll(async () => {
  await browser?.close();
  server?.closeAllConnections();
  server?.close();
  await dure?.close();
});

test("enqueues, is told of changes, and finds the result, all from a page", async () => {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  // As text: what runs in the page is not compiled with what runs here.
  const found = await page.evaluate(`(async () => {
    const { createClient, DureClientError } = await import("/client.js");
    const client = createClient({ url: location.origin + "/ops/dure" });
    const hints = client.watchHints({ signal: AbortSignal.timeout(10_000) });
    const hinted = hints.next();
    const { id } = await client.enqueueTask("send-receipt", { order: 16 });
    await hinted;
    let task;
    do ({ task } = await client.getTask(id)); while (task.status !== "COMPLETED");
    await hints.return();
    const error = await client.deleteTask(id).catch((thrown) => thrown);
    return {
      result: task.result,
      isDate: task.createdAt instanceof Date,
      refused: error instanceof DureClientError && error.code,
    };
  })()`);
  expect(found).toEqual({ result: 17, isDate: true, refused: "FORBIDDEN" });
});
