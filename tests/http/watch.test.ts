/** The changes of a search by server-sent events. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { type Listening, listen } from "../../server/http.ts";

const token = "a-token-for-tests-only";
const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let server: Listening;
const stops: AbortController[] = [];

beforeEach(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  dure.defineTask("send", async () => undefined);
  server = await listen(dure, { port: 0, token });
});
afterEach(async () => {
  for (const stop of stops.splice(0)) stop.abort();
  await server.close();
  await dure.close();
});

function ask(query: string, headers: Record<string, string> = {}) {
  const stop = new AbortController();
  stops.push(stop);
  const url = `http://127.0.0.1:${server.port}/api/tasks${query}`;
  return fetch(url, { headers: { authorization: `Bearer ${token}`, ...headers }, signal: stop.signal });
}

interface Event {
  id: string;
  event: string;
  data: any;
}

async function* eventsOf(answer: Response): AsyncGenerator<Event> {
  let text = "";
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const field = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      if (field("event"))
        yield { id: field("id")!, event: field("event")!, data: JSON.parse(field("data")!) };
    }
  }
}

test("each change, with secrets redacted, and on from where a stream ended", async () => {
  const answer = await ask("/watch?q=type:send&status=pending,failed");
  expect(answer.headers.get("content-type")).toBe("text/event-stream");
  const events = eventsOf(answer);
  const first = events.next();
  await dure.enqueueTask("send", { password: "hunter2" }, { id: "one" });
  const { value } = await first;
  expect(value).toMatchObject({ event: "entered", data: { change: "entered", task: { id: "one" } } });
  expect(value!.data.task.payload.password).toBe("[redacted]");
  stops[0]!.abort();
  await dure.enqueueTask("send", {}, { id: "two" });
  await dure.cancelTask("one");
  const again = eventsOf(await ask("/watch?status=pending", { "last-event-id": value!.id }));
  const seen = [(await again.next()).value!, (await again.next()).value!];
  expect(seen.map(({ event, data }) => `${event} ${data.task.id}`).sort()).toEqual([
    "entered two",
    "left one",
  ]);
});

test("who has the answer is told of all that happens from then on", async () => {
  const { changes } = dure.instance;
  const [asked, held] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const join = changes.join.bind(changes);
  changes.join = async (...watched) => {
    asked.resolve();
    await held.promise;
    return join(...watched);
  };
  const answering = ask("/watch");
  let isAnswered = false;
  void answering.then(() => {
    isAnswered = true;
  });
  await asked.promise;
  // A request that came later is answered before.
  await ask("?limit=1");
  expect(isAnswered).toBe(false);
  held.resolve();
  const events = eventsOf(await answering);
  await dure.enqueueTask("send", {}, { id: "one" });
  expect((await events.next()).value).toMatchObject({ event: "entered", data: { task: { id: "one" } } });
});

test("a page of changes and its cursor", async () => {
  const start = (await (await ask("?updatedSince=now")).json()) as any;
  expect(start.tasks).toEqual([]);
  await dure.enqueueTask("send", {}, { id: "one" });
  const page = (await (await ask(`?updatedSince=${start.updatedCursor}`)).json()) as any;
  expect(page).toMatchObject({ complete: true, tasks: [{ id: "one" }] });
});

test("what cannot be watched is refused before the stream begins", async () => {
  for (const query of ["?q=nonsense:", "?since=nonsense", "?status=blue"]) {
    expect((await ask(`/watch${query}`)).status, query).toBe(400);
  }
  expect((await ask("/watch", { authorization: "Bearer wrong" })).status).toBe(401);
});

test("at most twenty streams of one caller; those that are gone make room", async () => {
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/watch")));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect((await ask("/watch")).status).toBe(429);
  for (const stop of stops) stop.abort();
  await expect.poll(async () => (await ask("/watch")).status).toBe(200);
});
