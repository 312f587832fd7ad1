/** The dashboard opened and left over HTTP, where no record of that can be stored. */
import { expect } from "vitest";
import type { Dure } from "../../server/dure.ts";
import { listen } from "../../server/http.ts";

/** Answers what the server says of it. */
export async function logInAndOut(dure: Dure): Promise<string[]> {
  const errors: string[] = [];
  const token = "a token of some length";
  const server = await listen(dure, { port: 0, token, onError: (message) => errors.push(message) });
  const base = `http://127.0.0.1:${server.port}`;
  const login = await fetch(`${base}/?token=${encodeURIComponent(token)}`, { redirect: "manual" });
  expect(login.status).toBe(303);
  const cookie = login.headers.get("set-cookie")!.split(";")[0]!;
  const headers = { cookie, origin: base, "content-type": "application/json" };
  expect((await fetch(`${base}/api/tasks`, { headers })).status).toBe(200);
  expect((await fetch(`${base}/api/session`, { method: "DELETE", headers })).status).toBe(200);
  expect((await fetch(`${base}/api/tasks`, { headers })).status).toBe(401);
  await server.close();
  return errors;
}
