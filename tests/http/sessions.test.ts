/** Sessions of the dashboard's own server, what begins them, and streams, which outlive the request that opened them. */
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get, type IncomingMessage } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { passesOf } from "../../server/cli/access-folder.ts";
import { createDure, type Dure } from "../../server/dure.ts";
import { setAddress } from "../../server/http/asked-by.ts";
import { Gate } from "../../server/http/auth.ts";
import { Events } from "../../server/http/events.ts";
import { PassFolder } from "../../server/http/pass-folder.ts";
import { Passes } from "../../server/http/passes.ts";
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

const login = ({ link }: Listening) => cookieOf(link());

async function cookieOf(link: string): Promise<string> {
  const answer = await fetch(link, { redirect: "manual" });
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

test("a stream that could not be opened takes no place, and those after it are live", async () => {
  let isThere = false;
  const store = async () => (isThere ? dure.instance.store() : Promise.reject(new Error("no database")));
  const begun = { instance: { store } } as unknown as Dure;
  const events = new Events(begun, { isStillAdmitted: async () => true }, 5);
  const open = () => events.open(new Request("http://localhost/"), "anna");
  for (let tries = 0; tries < 21; tries += 1) await expect(open()).rejects.toThrow("no database");
  isThere = true;
  const reader = (await open()).body!.getReader();
  const textOf = async () => new TextDecoder().decode((await reader.read()).value);
  expect(await textOf()).toContain("hello");
  expect(await textOf()).toContain("still here");
  await reader.cancel();
});

test.each(["api/events", "api/tasks/watch"])("one caller does not hold all streams of %s", async (path) => {
  const cookies = await Promise.all([1, 2, 3].map(() => login(server)));
  const stop = new AbortController();
  // An answer that nobody holds is closed when memory is cleared up.
  const held = new Set<Response>();
  const open = async (cookie: string) => {
    const answer = await fetch(at(server, path), { headers: { cookie }, signal: stop.signal });
    held.add(answer);
    return answer.status;
  };
  const openMany = (cookie: string) => Promise.all(Array.from({ length: 21 }, () => open(cookie)));
  for (const cookie of cookies.slice(0, 2))
    expect((await openMany(cookie)).sort()).toEqual([...Array(20).fill(200), 429]);
  expect((await openMany(cookies[2]!)).sort(), "fifty in all").toEqual([
    ...Array(10).fill(200),
    ...Array(11).fill(503),
  ]);
  stop.abort();
  const statusNow = async () => {
    const answer = await fetch(at(server, path), { headers: { cookie: cookies[0]! } });
    await answer.body?.cancel();
    return answer.status;
  };
  await expect.poll(statusNow).toBe(200);
  expect(held.size).toBe(63);
});

test("localhost is every loopback address there is", async () => {
  expect((await fetch(`http://127.0.0.1:${server.port}/healthz`)).status).toBe(200);
  const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === "::1"),
  );
  const asked = fetch(`http://[::1]:${server.port}/healthz`).then(({ status }) => status);
  await (hasIpv6 ? expect(asked).resolves.toBe(200) : expect(asked).rejects.toThrow());
});

test("a name is compared with its port, where it names one", async () => {
  const own = await listen(dure, { port: 0, allowHosts: ["localhost:8080", "tasks.example"] });
  const given = await listen(dure, { port: 0, hosts: ["Tasks.example:8443", "secure.example:443"] });
  const statusFor = async ({ port }: { port: number }, host: string) => {
    const asked = get({ host: "127.0.0.1", port, path: "/healthz", headers: { host }, agent: false });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  try {
    for (const host of [
      `localhost:${own.port}`,
      `[::1]:${own.port}`,
      "LOCALHOST:8080",
      "tasks.example:1",
      "tasks.example",
    ])
      expect([host, await statusFor(own, host)]).toEqual([host, 200]);
    for (const host of [
      "localhost",
      "127.0.0.1:8080",
      "tasks.example.evil",
      `evil.example:${own.port}`,
      "localhost:80",
    ])
      expect([host, await statusFor(own, host)]).toEqual([host, 421]);
    for (const host of ["tasks.example:8443", "secure.example", "secure.example:443"])
      expect([host, await statusFor(given, host)]).toEqual([host, 200]);
    for (const host of ["tasks.example", "tasks.example:443", `127.0.0.1:${given.port}`])
      expect([host, await statusFor(given, host)]).toEqual([host, 421]);
  } finally {
    await Promise.all([own.close(), given.close()]);
  }
});

test.skipIf(process.platform === "win32")("a socket of the file system is its owner's alone", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dure-socket-"));
  const socket = join(folder, "dure.sock");
  const listening = await listen(dure, { socket, host: "tasks.example" });
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  expect([listening.port, listening.url]).toEqual([
    0,
    expect.stringMatching(/^http:\/\/tasks\.example\/\?token=/),
  ]);
  const statusFor = async (host: string, path = "/healthz") => {
    const asked = get({ socketPath: socket, path, headers: { host } });
    const [answer] = (await once(asked, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  };
  expect(await statusFor("tasks.example")).toBe(200);
  expect(await statusFor("tasks.example", "/api/stats")).toBe(401);
  expect(await statusFor("localhost")).toBe(421);
  await expect(listen(dure, { socket })).rejects.toMatchObject({ code: "EADDRINUSE" });
  await listening.close();
  expect(existsSync(socket)).toBe(false);
  rmSync(folder, { recursive: true });
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
  const token = new URL(server.link()).searchParams.get("token")!;
  expect(await to(`tasks?q=status%3Afailed&token=${token}`)).toBe("/tasks?q=status%3Afailed");
  const handler = createHttpHandler(dure, { authorize: () => null });
  const mounted = await handler(new Request("http://localhost//evil.example/?token=any"));
  expect(mounted.headers.get("location")).toBe("/evil.example/");
});

test("an address that is no encoded text is not there, and no fault of the server", async () => {
  expect((await fetch(at(server, "%E0%A4%A"))).status).toBe(404);
});

describe("what lets in (S03, S12, S32)", () => {
  test("a link opens once; who has it after that is asked to log in, and who is logged in goes on", async () => {
    const link = server.link();
    expect((await fetch(link, { method: "HEAD" })).headers.get("set-cookie"), "nor is it opened").toBe(null);
    const cookie = await cookieOf(link);
    expect((await fetch(link, { redirect: "manual" })).status).toBe(401);
    const browser = { accept: "text/html", cookie };
    const again = await fetch(link, { redirect: "manual", headers: browser });
    expect([again.status, again.headers.get("location"), again.headers.get("set-cookie")]).toEqual([
      303,
      "/",
      null,
    ]);
    expect(await statusWith(cookie)).toBe(200);
    const secret = new URL(server.link()).searchParams.get("token")!;
    const asToken = await fetch(at(server, "api/stats"), { headers: { authorization: `Bearer ${secret}` } });
    expect(asToken.status, "a link is no token").toBe(401);
  });

  test("of two that open a link at once one gets in", async () => {
    const link = server.link();
    const answers = await Promise.all([1, 2, 3].map(() => fetch(link, { redirect: "manual" })));
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 401, 401]);
  });

  test("a token in a body begins a session of its role and name, from our own pages only", async () => {
    const passes = new Passes();
    const gate = new Gate({ passes });
    const token = passes.newToken("ci", "viewer", undefined);
    const request = (cookie = "") => new Request("http://localhost/", { headers: { cookie } });
    const { cookie, caller } = gate.login(request(), token)!;
    expect(caller).toEqual({ role: "viewer", name: "ci" });
    expect(await gate.admit(request(cookie), "viewer")).toEqual({ role: "viewer", name: "ci" });
    await expect(gate.admit(request(cookie), "operator")).rejects.toMatchObject({ status: 403 });
    const post = (headers: object, body = { token: "x".repeat(43) }) =>
      fetch(at(server, "api/session"), {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
    expect((await post({})).status).toBe(401);
    expect((await post({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await post({ "content-type": "text/plain" })).status).toBe(415);
    const secret = new URL(server.link()).searchParams.get("token")!;
    expect((await post({}, { token: secret })).headers.get("set-cookie")).toMatch(
      /HttpOnly; SameSite=Strict/,
    );
  });

  test("tokens and sessions end in time; a revoked token's sessions with it", () => {
    let now = 1_000_000;
    const passes = new Passes(undefined, () => now);
    const token = passes.newToken("ci", "operator", 60_000);
    const session = () => passes.newSession({ role: "operator" }, passes.token(token)!.place);
    const [one, idle] = [session(), passes.newSession({ role: "admin" }, undefined)];
    const isOn = (secret: string) => passes.session(secret, () => false) !== undefined;
    expect([isOn(one), isOn(idle)]).toEqual([true, true]);
    now += 60_000;
    expect([passes.token(token), isOn(one)]).toEqual([undefined, false]);
    now += 3_500_000;
    expect(isOn(idle)).toBe(true);
    passes.noteUse(passes.session(idle, () => false)!.place);
    now += 3_600_000;
    expect(isOn(idle)).toBe(true);
    now += 1;
    expect(isOn(idle)).toBe(false);
    const other = passes.newToken("other", "viewer", undefined);
    const begun = passes.newSession({ role: "viewer" }, passes.token(other)!.place);
    passes.end(passes.tokens()[0]!.place);
    expect(isOn(begun)).toBe(false);
    const busy = passes.newSession({ role: "admin" }, undefined);
    for (let hours = 0; hours < 12; hours += 0.5) {
      expect(isOn(busy)).toBe(true);
      passes.noteUse(passes.session(busy, () => false)!.place);
      now += 1_800_000;
    }
    expect(isOn(busy), "twelve hours, however busy").toBe(false);
    const link = passes.newLink();
    now += 12 * 3_600_000;
    expect(passes.link(link)).toBeUndefined();
  });

  test("a thousand sessions are kept, the newest", () => {
    let now = 1;
    const passes = new Passes(undefined, () => now++);
    const all = Array.from({ length: 1_001 }, () => passes.newSession({ role: "admin" }, undefined));
    expect(all.map((secret) => passes.session(secret, () => false) !== undefined).indexOf(true)).toBe(1);
  });

  test("ended ones make room, too: nobody who is logged in has to go for them", () => {
    let now = 1;
    const passes = new Passes(undefined, () => now);
    const begin = () => passes.newSession({ role: "admin" }, undefined);
    for (let n = 0; n < 300; n++) begin();
    now += 12 * 3_600_000;
    const kept = Array.from({ length: 701 }, begin);
    expect(kept.filter((secret) => passes.session(secret, () => false) === undefined)).toEqual([]);
  });

  test("who guesses keeps nobody out whose token or link was made here", async () => {
    const passes = new Passes();
    const token = passes.newToken("ci", "viewer", undefined);
    const link = passes.newLink();
    const gate = new Gate({ passes });
    const request = (bearer: string) =>
      setAddress(
        new Request("http://localhost/", { headers: { authorization: `Bearer ${bearer}` } }),
        "127.0.0.1",
      );
    for (let n = 0; n < 25; n++)
      await expect(gate.admit(request(`wrong ${n}`), "viewer")).rejects.toMatchObject({
        status: n < 20 ? 401 : 429,
      });
    expect(await gate.admit(request(token), "viewer")).toEqual({ role: "viewer", name: "ci" });
    expect(gate.login(request(""), link)?.caller).toEqual({ role: "admin" });
    expect(() => gate.login(request(""), link), "it has been used").toThrow(/Too many/);
  });

  test("no image or frame of a page opens a link", async () => {
    const link = server.link();
    for (const dest of ["image", "iframe", "empty"])
      expect((await fetch(link, { headers: { "sec-fetch-dest": dest }, redirect: "manual" })).status).toBe(
        403,
      );
    const opened = await fetch(link, { headers: { "sec-fetch-dest": "document" }, redirect: "manual" });
    expect(opened.status).toBe(303);
  });

  test("wrong ones are looked at so often a minute from one address, and from all together", async () => {
    let now = 1_000_000;
    const gate = new Gate({ token: "a token of some length" }, () => now);
    const tryIt = (address: string, token: string) => {
      const request = new Request("http://localhost/", { headers: { authorization: `Bearer ${token}` } });
      return gate.admit(setAddress(request, address), "viewer").then(
        () => 200,
        ({ status }) => status,
      );
    };
    for (let n = 0; n < 20; n++) expect(await tryIt("192.0.2.1", `wrong ${n}`)).toBe(401);
    expect(await tryIt("192.0.2.1", "a token of some length")).toBe(429);
    expect(await tryIt("192.0.2.2", "a token of some length"), "another's mistakes are not mine").toBe(200);
    for (let n = 0; n < 20; n++) expect(await tryIt(`2001:db8::${n}`, "wrong")).toBe(401);
    expect(await tryIt("2001:db8:0:0:9::1", "wrong"), "of one network").toBe(429);
    for (let n = 0; n < 260; n++) expect(await tryIt(`198.51.100.${n}`, "wrong")).toBe(401);
    expect(await tryIt("192.0.2.9", "a token of some length")).toBe(429);
    now += 60_001;
    expect(await tryIt("192.0.2.1", "a token of some length")).toBe(200);
  });

  test("no minute has more guesses than it may, whenever the first of them was", async () => {
    let now = 1_000_000;
    const gate = new Gate({ token: "a token of some length" }, () => now);
    const guess = () =>
      gate
        .admit(
          setAddress(
            new Request("http://localhost/", { headers: { authorization: "Bearer wrong" } }),
            "192.0.2.1",
          ),
          "viewer",
        )
        .catch(({ status }) => status);
    const guessed = async (times: number) => {
      const told: unknown[] = [];
      for (let n = 0; n < times; n++) told.push(await guess());
      return told;
    };
    expect(await guessed(1)).toEqual([401]);
    now += 59_000;
    expect(await guessed(10)).toEqual(Array(10).fill(401));
    now += 2_000;
    expect(await guessed(12), "the first is a minute ago, ten are not").toEqual([
      ...Array(10).fill(401),
      ...Array(2).fill(429),
    ]);
    now += 58_500;
    expect(await guessed(11), "of the ten before").toEqual([...Array(10).fill(401), 429]);
  });
});

describe("a folder that keeps it", () => {
  const folder = join(mkdtempSync(join(tmpdir(), "dure-access-")), "access");
  afterAll(() => rmSync(join(folder, ".."), { recursive: true }));

  test("is its owner's, and holds no secret", async () => {
    const own = await listen(dure, { port: 0, accessFolder: folder });
    const secret = new URL(own.url).searchParams.get("token")!;
    const cookie = await login(own);
    expect((await fetch(at(own, "api/stats"), { headers: { cookie } })).status).toBe(200);
    const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
    expect(mode(folder)).toBe("700");
    const files = readdirSync(folder);
    expect(files.map((name) => name.split("-")[0]).sort()).toEqual(["link", "session"]);
    for (const name of files) {
      expect(mode(join(folder, name))).toBe("600");
      const text = name + readFileSync(join(folder, name), "utf8");
      for (const kept of [secret, cookie.split("=")[1]!]) expect(text).not.toContain(kept);
    }
    await own.close();
  });

  test("outlives a server: who was logged in still is, and a link of another process opens", async () => {
    const first = await listen(dure, { port: 0, accessFolder: folder });
    const [cookie, gone] = [await login(first), await login(first)];
    await fetch(at(first, "api/session"), {
      method: "DELETE",
      headers: { cookie: gone, "content-type": "application/json" },
    });
    await first.close();
    const second = await listen(dure, { port: first.port, accessFolder: folder });
    // fetch keeps connections to the port, which the first server has closed.
    const statusOf = async (one: string) => {
      const asked = get(at(second, "api/stats"), { headers: { cookie: one }, agent: false });
      const [answer] = (await once(asked, "response")) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
    expect([await statusOf(cookie), await statusOf(gone)]).toEqual([200, 401]);
    const passes = new Passes(new PassFolder(folder));
    const link = passes.newLink("viewer");
    const viewer = await cookieOf(at(second, `?token=${link}`));
    expect((await fetch(at(second, "api/audit"), { headers: { cookie: viewer } })).status).toBe(403);
    const token = passes.newToken("ci", "operator", undefined);
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(at(second, "api/audit"), { headers })).status).toBe(200);
    passes.end(passes.tokens()[0]!.place);
    await expect.poll(async () => (await fetch(at(second, "api/audit"), { headers })).status).toBe(401);
    await second.close();
  });

  test("that takes no files lets one log in until the server ends, and the log says so", async () => {
    const said: string[] = [];
    const gone = join(folder, "..", "gone");
    const own = await listen(dure, { port: 0, accessFolder: gone, onError: (text) => said.push(text) });
    rmSync(gone, { recursive: true });
    const cookie = await login(own);
    expect((await fetch(at(own, "api/session"), { headers: { cookie } })).status).toBe(200);
    expect(said.join("\n")).toMatch(/kept in memory, and end with this process: .*gone: .*ENOENT/);
    const headers = { cookie, "content-type": "application/json" };
    await fetch(at(own, "api/session"), { method: "DELETE", headers });
    expect((await fetch(at(own, "api/session"), { headers: { cookie } })).status).toBe(401);
    await own.close();
    writeFileSync(gone, "");
    const nowhere = await listen(dure, {
      port: 0,
      accessFolder: join(gone, "access"),
      onError: (text) => said.push(text),
    });
    expect(said.at(-1)).toMatch(/ENOTDIR/);
    expect(await login(nowhere)).toMatch(/^dure_session/);
    await nowhere.close();
  });

  test.skipIf(process.getuid?.() !== 0)("that root makes is the owner's of the database", async () => {
    const database = join(folder, "..", "theirs.db");
    writeFileSync(database, "");
    chownSync(database, 12_345, 12_346);
    const context = { database, isFile: true } as Parameters<typeof passesOf>[0];
    const token = passesOf(context).newToken("ci", "viewer", undefined);
    const made = `${database}-access`;
    const kept = [made, ...readdirSync(made).map((name) => join(made, name))].map((path) => statSync(path));
    expect(kept.map(({ uid, gid, mode }) => [uid, gid, mode & 0o777])).toEqual([
      [12_345, 12_346, 0o700],
      [12_345, 12_346, 0o600],
    ]);
    expect(passesOf(context).token(token)?.pass.name).toBe("ci");
  });

  test("that others may look into, or that is a link, is refused, and so are links in it", async () => {
    const passes = new Passes(new PassFolder(folder));
    const token = passes.newToken("linked", "admin", undefined);
    const place = passes.token(token)!.place;
    const elsewhere = join(folder, "..", "elsewhere");
    renameSync(join(folder, place), elsewhere);
    symlinkSync(elsewhere, join(folder, place));
    expect(new Passes(new PassFolder(folder)).token(token)).toBeUndefined();
    chmodSync(folder, 0o750);
    await expect(listen(dure, { port: 0, accessFolder: folder })).rejects.toThrow(/open to other users/);
    chmodSync(folder, 0o700);
    symlinkSync(folder, `${folder}-link`);
    expect(() => new PassFolder(`${folder}-link`)).toThrow(/is no folder/);
  });
});
