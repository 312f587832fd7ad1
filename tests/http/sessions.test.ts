/** Sessions of the dashboard's own server, and streams, which outlive the request that opened them. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { Gate } from "../../server/http/auth.ts";
import { Events } from "../../server/http/events.ts";
import { createHttpHandler, type Listening, listen } from "../../server/http.ts";

const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };
let dure: Dure;
let server: Listening;
let other: Listening;

beforeAll(async () => {
  dure = createDure({ database: ":memory:", logger: silent });
  server = await listen(dure, { port: 0 });
  other = await listen(dure, { port: 0 });
});

afterAll(async () => {
  await server.close();
  await other.close();
  await dure.close();
});

async function login({ url }: Listening): Promise<string> {
  const answer = await fetch(url, { redirect: "manual" });
  return answer.headers.get("set-cookie")!.split(";")[0]!;
}

const at = ({ port }: Listening, path: string) => `http://127.0.0.1:${port}/${path}`;
const statusWith = async (cookie: string, path = "api/session") =>
  (await fetch(at(server, path), { headers: { cookie } })).status;
const logout = (cookie: string, headers: Record<string, string> = { "content-type": "application/json" }) =>
  fetch(at(server, "api/session"), { method: "DELETE", headers: { cookie, ...headers } });

test("logging out ends the session for good, and no other", async () => {
  const [one, two] = [await login(server), await login(server)];
  expect((await logout(one, {})).status, "a form of another site cannot").toBe(415);
  const answer = await logout(one);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("set-cookie")).toMatch(/^dure_session_\d+=; .*Max-Age=0/);
  expect(await statusWith(one)).toBe(401);
  expect(await statusWith(two)).toBe(200);
});

test("logging out ends the session's streams", async () => {
  const cookie = await login(server);
  const streams = await Promise.all(
    ["api/events", "api/tasks/watch"].map((path) => fetch(at(server, path), { headers: { cookie } })),
  );
  await logout(cookie);
  await Promise.all(streams.map((stream) => stream.text()));
});

test("two dashboards on one machine keep their sessions apart", async () => {
  const both = `${await login(server)}; ${await login(other)}`;
  expect(await statusWith(both)).toBe(200);
  expect((await fetch(at(other, "api/session"), { headers: { cookie: both } })).status).toBe(200);
});

test("a stream ends once its reader may not read any more", async () => {
  let admitted = true;
  const events = new Events(dure, { isStillAdmitted: async () => admitted }, 5);
  const reader = (await events.open(new Request("http://localhost/"))).body!.getReader();
  const textOf = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await textOf()).toContain("hello");
  expect(await textOf()).toContain("still here");
  admitted = false;
  while (!(await reader.read()).done);
});

test.each([
  ["does not know", () => null],
  [
    "fails on",
    () => {
      throw new Error("the directory does not answer");
    },
  ],
])("whom authorize %s is not admitted any more", async (_, authorize) => {
  const gate = new Gate({ authorize });
  expect(await gate.isStillAdmitted(new Request("http://localhost/"))).toBe(false);
  expect(
    await new Gate({ authorize: () => "viewer" }).isStillAdmitted(new Request("http://localhost/")),
  ).toBe(true);
});

test("the address that logs in keeps the rest of itself, and stays on this server", async () => {
  const to = async (path: string) =>
    (await fetch(at(server, path), { redirect: "manual" })).headers.get("location");
  const token = new URL(server.url).searchParams.get("token")!;
  expect(await to(`tasks?q=status%3Afailed&token=${token}`)).toBe("/tasks?q=status%3Afailed");
  const handler = createHttpHandler(dure, { authorize: () => null });
  const mounted = await handler(new Request("http://localhost//evil.example/?token=any"));
  expect(mounted.headers.get("location")).toBe("/evil.example/");
});

test("an address that is no encoded text is not there, and no fault of the server", async () => {
  expect((await fetch(at(server, "%E0%A4%A"))).status).toBe(404);
});
