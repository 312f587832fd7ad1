/** A server with its worker inside: POST /reports enqueues, GET /reports/:id shows. The demonstration ends by itself. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { createDure, DureError } from "dure";

const dure = createDure({ database: ".dure/embed-in-server.db" });
const report = dure.defineTask("report", async (task) => ({
  words: String(task.payload.text).split(/\s+/).length,
}));

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    const status = error instanceof DureError && error.code.startsWith("INVALID") ? 400 : 500;
    send(response, status, { error: error.message });
  });
});

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const id = request.url?.match(/^\/reports\/([\w-]+)$/)?.[1];
  if (request.method === "POST" && request.url === "/reports") {
    const chunks: Buffer[] = await request.toArray();
    const task = await report.enqueue(JSON.parse(Buffer.concat(chunks).toString()));
    return send(response, 202, { id: task.id, status: task.status });
  }
  const task = id && (await dure.getTaskById(id));
  if (!task) return send(response, 404, { error: "There is no such report." });
  send(response, 200, { id: task.id, status: task.status, result: task.result });
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

await dure.start();
server.listen(0, "127.0.0.1");
await once(server, "listening");
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/reports`;

const posted = await fetch(address, {
  method: "POST",
  body: JSON.stringify({ text: "neighbours who work each other's fields" }),
});
const { id } = (await posted.json()) as { id: string };
console.log(`POST /reports: ${posted.status}`);
await dure.waitForTask(id);
const shown = await fetch(`${address}/${id}`);
const { status, result } = (await shown.json()) as { status: string; result: { words: number } };
console.log(`GET /reports/:id: ${shown.status}, ${status}, ${result.words} words`);
console.log(`GET /reports/unknown: ${(await fetch(`${address}/unknown`)).status}`);

server.close();
await dure.close();
