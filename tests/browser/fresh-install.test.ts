/**
 * A fresh install, with nothing set: the packed package in an empty folder, its dashboard asked over real sockets and
 * from a real browser's pages of other origins. docs/operating/security.md says which requirement is which test.
 */
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../support/project.ts";
import { openBrowser } from "./support/browser.ts";
import { canary, FreshInstall } from "./support/fresh-install.ts";
import { attack, submitForm } from "./support/other-origin.ts";

let fresh: FreshInstall;
let port: number;
let token: string;

beforeAll(async () => {
  fresh = await FreshInstall.start();
  ({ port, token } = fresh);
}, 180_000);

afterAll(() => fresh?.remove());

const json = { "content-type": "application/json" };
const ask = (path: string, init?: RequestInit) => fresh.ask(path, init);
const asAdmin = (path: string, init?: RequestInit) => fresh.asAdmin(path, init);
const statusOf = (id: string) => fresh.statusOf(id);
const exchange = (head: string, isLast?: boolean) => fresh.exchange(head, isLast);

describe("S01 where it listens", () => {
  test.skipIf(!existsSync("/proc/net/tcp"))("on the loopback addresses and on no other", () => {
    const hex = port.toString(16).toUpperCase().padStart(4, "0");
    const listening = ["tcp", "tcp6"].flatMap((name) =>
      readFileSync(`/proc/net/${name}`, "utf8")
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter((parts) => parts[3] === "0A" && parts[1]?.endsWith(`:${hex}`))
        .map((parts) => parts[1]),
    );
    const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
      all?.some(({ address }) => address === "::1"),
    );
    const six = `${"0".repeat(24)}01000000:${hex}`;
    expect(listening).toEqual([`0100007F:${hex}`, ...(hasIpv6 ? [six] : [])]);
  });

  test("nobody on this machine's other addresses is answered", async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter(({ internal }) => !internal);
    for (const { address, scopeid } of others) {
      const socket = connect(port, scopeid ? `${address}%${scopeid}` : address);
      await expect(once(socket, "connect")).rejects.toThrow();
    }
  });
});

describe("S03, S12 the token", () => {
  test("has 256 bits, is printed once, and only its digest is kept", async () => {
    expect(Buffer.from(token, "base64url")).toHaveLength(32);
    const folder = join(fresh.program, ".dure/tasks.db-access");
    const kept = readdirSync(folder).map((name) => name + readFileSync(join(folder, name), "utf8"));
    expect(kept.join("\n")).toContain('"name":"tests"');
    expect(kept.join("\n")).not.toContain(token);
  });

  test("one that is revoked, and its sessions, are let in no more", async () => {
    const viewer = await fresh.dure("tokens", "create", "somebody", "--expires", "1h");
    const headers = { authorization: `Bearer ${viewer}` };
    expect((await ask("api/stats", { headers })).status).toBe(200);
    expect((await ask("api/audit", { headers })).status).toBe(403);
    const begun = await ask("api/session", {
      method: "POST",
      headers: json,
      body: JSON.stringify({ token: viewer }),
    });
    const session = { cookie: begun.headers.get("set-cookie")!.split(";")[0]! };
    expect((await ask("api/stats", { headers: session })).status).toBe(200);
    await fresh.dure("tokens", "revoke", "somebody");
    const { records } = (await (await asAdmin("api/audit?target=somebody")).json()) as any;
    const told = records.map(({ action, via }: any) => `${action} ${via}`);
    expect(told).toEqual(["revoke-token cli", "create-token cli"]);
    await expect.poll(async () => (await ask("api/stats", { headers })).status).toBe(401);
    await expect.poll(async () => (await ask("api/stats", { headers: session })).status).toBe(401);
  });

  test("every route refuses without it, alike", async () => {
    const all = await fresh.operations();
    expect(all.length).toBeGreaterThan(25);
    for (const { method, path } of all) {
      if (`${method} ${path}` === "POST api/session") continue;
      const answer = await ask(path, { method, headers: json, ...(method !== "GET" && { body: "{}" }) });
      expect([path, answer.status]).toEqual([path, 401]);
      expect(await answer.text()).not.toMatch(/order|receipt|\/app\/|SELECT/);
    }
  });

  test.each(["", "x", "x".repeat(43), "토큰", "a".repeat(8_000)])(
    "a wrong one is refused: %.20s",
    async (wrong) => {
      const raw = await exchange(
        `GET /api/stats HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${wrong}\r\n\r\n`,
      );
      expect(raw).toMatch(/^HTTP\/1\.1 401 /);
    },
  );

  test("in the address of the API it counts for nothing", async () => {
    expect((await ask(`api/stats?token=${token}`)).status).toBe(401);
  });

  test("/healthz answers without it, and tells nothing", async () => {
    const answer = await ask("healthz");
    expect([answer.status, await answer.json()]).toEqual([200, { ok: true }]);
  });

  test("the printed address gives a cookie that scripts and other sites do not get, and forgets the token", async () => {
    const answer = await fetch(fresh.url, { redirect: "manual" });
    expect([answer.status, answer.headers.get("location")]).toEqual([303, "/"]);
    expect(answer.headers.get("set-cookie")).toMatch(/; HttpOnly; SameSite=Strict/);
    expect(answer.headers.get("set-cookie")).not.toContain(new URL(fresh.url).searchParams.get("token"));
    expect((await fetch(fresh.url, { redirect: "manual" })).status, "it opens once").toBe(401);
  });
});

describe("S04 the name it is called by", () => {
  test.each([
    "evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1@evil.example",
    "localhost.",
    "[::ffff:7f00:1]",
    "0",
    "0.0.0.0",
    "",
  ])("%j is refused before anything else is looked at", async (host) => {
    for (const path of ["/", "/healthz", "/api/stats"]) {
      const head = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      expect(await exchange(head)).toMatch(/^HTTP\/1\.1 4(?:21|00) /);
    }
  });

  test("its own names with another port, or without, are refused, and what to do is said", async () => {
    for (const host of ["127.0.0.1:8080", "localhost:8080", "[::1]:8080", "localhost"]) {
      const head = `GET /api/stats HTTP/1.1\r\nHost: ${host}\r\nAuthorization: Bearer ${token}\r\n\r\n`;
      const answer = await exchange(head);
      expect(answer).toMatch(/^HTTP\/1\.1 421 /);
      expect(answer).toContain(`--allow-host ${host}`);
    }
  });

  test("two names, and an address that names another, are refused", async () => {
    const own = `Host: 127.0.0.1:${port}`;
    const authorization = `Authorization: Bearer ${token}`;
    for (const both of [`Host: evil.example\r\n${own}`, `${own}\r\nHost: evil.example`]) {
      const twice = `GET /api/stats HTTP/1.1\r\n${both}\r\n${authorization}\r\n\r\n`;
      expect(await exchange(twice)).toMatch(/^HTTP\/1\.1 4\d\d /);
    }
    const absolute = `GET http://evil.example/api/stats HTTP/1.1\r\nHost: evil.example\r\n${authorization}\r\n\r\n`;
    expect(await exchange(absolute)).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  test("what a proxy is said to have forwarded counts for nothing", async () => {
    const head = `GET /api/stats HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: 127.0.0.1\r\nX-Forwarded-For: 127.0.0.1\r\n\r\n`;
    expect(await exchange(head)).toMatch(/^HTTP\/1\.1 421 /);
  });
});

describe("S05, S06 other sites", () => {
  test.each<[string, number, Record<string, string>]>([
    ["a form", 415, { "content-type": "application/x-www-form-urlencoded" }],
    ["text that is JSON", 415, { "content-type": "text/plain" }],
    ["a page of another site", 403, { ...json, "sec-fetch-site": "cross-site" }],
    ["a page of another port", 403, { ...json, "sec-fetch-site": "same-site" }],
    ["an old browser on another site", 403, { ...json, origin: "https://evil.example" }],
    ["a page without an origin", 403, { ...json, origin: "null" }],
  ])("%s changes nothing, whoever it is", async (_name, status, headers) => {
    const answer = await asAdmin("api/tasks/order-18/cancel", { method: "POST", body: "{}", headers });
    expect(answer.status).toBe(status);
    expect(await statusOf("order-18")).toBe("PENDING");
  });

  test("no GET changes anything, whatever method it says it is", async () => {
    const headers = { "x-http-method-override": "DELETE", "x-method-override": "DELETE" };
    await asAdmin("api/tasks/order-18?_method=DELETE", { headers });
    await asAdmin("api/tasks/order-18/cancel");
    expect(await statusOf("order-18")).toBe("PENDING");
  });

  test("no answer allows another origin", async () => {
    for (const [path, method] of [
      ["api/stats", "GET"],
      ["api/stats", "OPTIONS"],
      ["api/tasks/order-18/cancel", "OPTIONS"],
      ["healthz", "GET"],
    ] as const) {
      const headers = { origin: "https://evil.example", "access-control-request-method": "POST" };
      const { headers: given } = await asAdmin(path, { method, headers });
      expect([...given.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
  });
});

describe("S07 mounted in a server", () => {
  test("without authorize it is refused when it is made", async () => {
    const code = `import { createDure } from "dure"; import { createHttpHandler } from "dure/http";
      try { createHttpHandler(createDure({ database: ":memory:" })); } catch (error) { console.log(error.code); }`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], fresh.program);
    expect(stdout).toBe("INVALID_OPTION\n");
  });
});

describe("S08, S26 headers and errors", () => {
  test.each([
    "",
    "tasks/order-17",
    "icon.svg",
    "healthz",
    "api/stats",
    "api/nowhere",
    "nowhere.js",
    "api/tasks/none",
  ])("of /%s", async (path) => {
    for (const answer of [await ask(path), await asAdmin(path)]) {
      const headers = Object.fromEntries(answer.headers);
      expect(headers["content-security-policy"]).toMatch(
        /default-src 'none'.*script-src 'self';.*frame-ancestors 'none'; require-trusted-types-for 'script'/,
      );
      expect(headers["content-security-policy"]).not.toMatch(/unsafe|\*|https?:/);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
      });
      expect(headers).not.toHaveProperty("x-powered-by");
      expect(headers).not.toHaveProperty("server");
      if (path.startsWith("api/")) expect(headers["cache-control"]).toBe("no-store");
    }
  });

  test("an error says a code and a sentence, and nothing of the inside", async () => {
    for (const path of [
      "api/tasks/%00",
      "api/tasks?limit=x",
      "api/tasks?cursor=%27",
      "api/%2e%2e/package.json",
    ]) {
      const text = await (await asAdmin(path)).text();
      expect(text).not.toMatch(/ {4}at |SELECT|node_modules|sqlite|\/app\//i);
    }
  });
});

describe("S10, S14, S15, S19, S23, S32 with defaults", () => {
  test("a viewer's token changes nothing by any route, and is shown no audit log", async () => {
    const viewer = await fresh.dure("tokens", "create", "viewer");
    const headers = { ...json, authorization: `Bearer ${viewer}` };
    for (const { method, path } of await fresh.operations()) {
      // Their own session is everybody's to begin and to end.
      if ((method === "GET" && path !== "api/audit") || path === "api/session") continue;
      const answer = await ask(path, { method, headers, ...(method !== "GET" && { body: "{}" }) });
      expect([method, path, answer.status]).toEqual([method, path, 403]);
    }
    expect(await statusOf("order-18")).toBe("PENDING");
  });

  test.each([
    "'; DROP TABLE tasks; --",
    `" OR 1=1 --`,
    "x') UNION SELECT sql FROM sqlite_schema --",
    "NEAR(a b, 9) AND a*",
    "NEAR(",
    "%".repeat(500),
    "(a+)+$ ".repeat(100),
    "__proto__",
    `${"(".repeat(49)}a${")".repeat(49)}`,
  ])("%.30s is data wherever it stands", async (text) => {
    const value = encodeURIComponent(text);
    const names = ["q", "type", "queue", "status", "sort", "cursor", "updatedSince", "by", "target", value];
    for (const path of ["tasks", "tasks/count", "summary", "audit", "history", "query/complete"]) {
      for (const name of names) {
        const { status } = await asAdmin(`api/${path}?${name}=${value}&text=${value}&position=3`);
        expect([path, name, [200, 400].includes(status)]).toEqual([path, name, true]);
      }
    }
    expect((await asAdmin(`api/tasks/${value}`)).status).toBe(404);
    expect(await statusOf("order-18")).toBe("PENDING");
  });

  test("no text to look for is longer than 256 characters", async () => {
    for (const [length, status] of [
      [256, 200],
      [257, 400],
      [5_000, 400],
      [10_000, 431],
    ] as const)
      expect([length, (await asAdmin(`api/tasks?q=${"%25".repeat(length)}`)).status]).toEqual([
        length,
        status,
      ]);
  });

  test("a payload that names prototypes is a payload, and who enqueued it is told", async () => {
    const payload = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`;
    const body = `{"type":"send-receipt","id":"odd-1","delay":"1h","payload":${payload}}`;
    expect((await asAdmin("api/tasks", { method: "POST", headers: json, body })).status).toBe(200);
    const { task } = (await (await asAdmin("api/tasks/odd-1")).json()) as any;
    expect(JSON.stringify(task.payload)).toBe(payload);
    expect(JSON.stringify(await (await asAdmin("api/stats")).json())).not.toContain("polluted");
    const { records } = (await (await asAdmin("api/audit?target=odd-1")).json()) as any;
    expect(records).toMatchObject([{ action: "enqueue", who: "tests", via: "http", address: "127.0.0.1" }]);
  });

  test("a session is over once it is logged out", async () => {
    const begun = await fetch(await fresh.link(), { redirect: "manual" });
    const headers = { ...json, cookie: begun.headers.get("set-cookie")!.split(";")[0]! };
    expect((await ask("api/stats", { headers })).status).toBe(200);
    expect((await ask("api/session", { method: "DELETE", headers })).status).toBe(200);
    expect((await ask("api/stats", { headers })).status).toBe(401);
  });
});

describe("S16, S31 limits", () => {
  test("a body of more than 1 MiB", async () => {
    const head = `POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1100002`;
    const answer = await exchange(`${head}\r\n\r\n"${"x".repeat(1_100_000)}"`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  test("headers of more than 16 KiB", async () => {
    const head = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nX-Long: ${"x".repeat(20_000)}\r\n\r\n`;
    expect(await exchange(head)).toMatch(/^HTTP\/1\.1 431 /);
  });

  test.each([
    "limit=1000000000",
    "limit=-1",
    "limit=1e3",
    "limit=1e3x",
    "limit=2.5",
    "offset=-1",
    "offset=1e99",
  ])("a page of %s", async (query) => {
    expect((await asAdmin(`api/tasks?${query}`)).status).toBe(400);
  });

  test.each([
    ["two lengths", "Content-Length: 2\r\nContent-Length: 3"],
    ["a length beside chunks", "Content-Length: 2\r\nTransfer-Encoding: chunked"],
    ["a folded line", "X-Folded: a\r\n b"],
  ])("a request with %s is refused or read in one way only", async (_name, lines) => {
    const head = `POST /api/tasks/order-18/cancel HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${lines}\r\n\r\n{}`;
    expect(await exchange(head)).toMatch(/^HTTP\/1\.1 4\d\d /);
    expect(await statusOf("order-18")).toBe("PENDING");
  });
});

describe("F116, F117 malformed requests", () => {
  const raw = (lines: string) => exchange(`${lines}\r\n\r\n`);
  const host = () => `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}`;

  test("a request without a version, with bare line feeds, or in a method of its own is closed", async () => {
    expect(await raw("GET /healthz")).not.toMatch(/^HTTP\/1\.1 200/);
    expect(await raw(`GET /healthz HTTP/1.1\n${host()}`)).not.toMatch(/^HTTP\/1\.1 200/);
    expect(await raw(`BREW /healthz HTTP/1.1\r\n${host()}`)).toMatch(/^HTTP\/1\.1 400/);
  });

  test("chunks that lie about their size are closed, and change nothing", async () => {
    const head = `POST /api/tasks/order-18/cancel HTTP/1.1\r\n${host()}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked`;
    expect(await exchange(`${head}\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n`)).not.toMatch(/ 200 /);
    expect(await statusOf("order-18")).toBe("PENDING");
  });

  test("bytes that are no UTF-8 are a value like any other, or refused", async () => {
    for (const query of ["%ff%fe", "%C0%AF", "%00", "\u00ff"]) {
      expect(await raw(`GET /api/tasks?q=${query} HTTP/1.1\r\n${host()}`)).toMatch(
        /^HTTP\/1\.1 (?:200|400) /,
      );
    }
  });

  test("requests sent at once are answered in turn, each by itself", async () => {
    const head = (path: string, more = "") =>
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${more}\r\n`;
    const answer = await exchange(head("/api/stats") + head("/healthz", "Connection: close\r\n"), false);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 401", "HTTP/1.1 200"]);
  });

  test.each(["offset=1000000000", "q="])("%s is answered", async (query) => {
    expect((await asAdmin(`api/tasks?${query}`)).status).toBe(200);
  });

  test("a parameter that is given twice is refused by its name", async () => {
    const answer = await asAdmin("api/tasks?limit=1&limit=2");
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: "INVALID_REQUEST",
      message: expect.stringContaining("query.limit"),
    });
  });

  test.each(["filter[a][b]", "limit[]", "__proto__[x]", "__proto__", "constructor"])(
    "%s is refused by its name",
    async (name) => {
      const answer = await asAdmin(`api/tasks?${name}=1`);
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({
        code: "INVALID_REQUEST",
        message: expect.stringContaining(`query.${name}: there is no such parameter`),
      });
    },
  );

  test("whoever sends a header a byte at a time is let go of", async () => {
    const socket = connect(port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(`GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`);
    const drip = setInterval(() => socket.write("X"), 1_000);
    await new Promise((done) => socket.resume().on("close", done));
    clearInterval(drip);
    expect((await ask("healthz", {})).status).toBe(200);
  });
});

describe("S17 files", () => {
  test.each([
    "..%2f..%2fpackage.json",
    "%2e%2e/%2e%2e/package.json",
    "..%5c..%5cpackage.json",
    "assets/..%2f..%2f..%2fserver/index.js",
    "%00icon.svg",
    "/etc/passwd",
    "..%252f..%252fpackage.json",
    "index.js.map",
  ])("%s is none of the dashboard's", async (path) => {
    const raw = await exchange(
      `GET /${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${token}\r\n\r\n`,
    );
    expect(raw).not.toMatch(/root:|"name": ?"dure"|createDure/);
    expect(raw).toMatch(/^HTTP\/1\.1 (?:400|404) |<!doctype html>/i);
  });
});

describe("S21 secrets", () => {
  test("are in no answer of the API", async () => {
    const seen: string[] = [];
    for (const { method, path, isStream } of await fresh.operations()) {
      if (method !== "GET" || isStream) continue;
      for (const one of [path, path.replace("order-18", "order-17")])
        seen.push(await (await asAdmin(one)).text());
    }
    expect(seen.join("\n")).toContain("[redacted]");
    expect(seen.join("\n")).not.toContain(canary);
  });
});

describe("S24 files of its own", () => {
  test("of who may log in are their owner's alone", () => {
    const folder = join(fresh.program, ".dure/tasks.db-access");
    const modes = readdirSync(folder).map((name) => statSync(join(folder, name)).mode & 0o777);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(new Set(modes)).toEqual(new Set([0o600]));
  });

  test("are for their owner alone, also where the umask would let others in", () => {
    const mode = (name: string) => (statSync(join(fresh.program, name)).mode & 0o777).toString(8);
    expect(mode(".dure")).toBe("700");
    for (const name of [".dure/tasks.db", ".dure/tasks.db-wal", ".dure/tasks.db-shm"]) {
      if (existsSync(join(fresh.program, name))) expect([name, mode(name)]).toEqual([name, "600"]);
    }
    expect(mode(".dure/tasks.db")).toBe("600");
  });
});

describe("S27, S36 a page of another origin, in a browser that is logged in", { timeout: 60_000 }, () => {
  let browser: Browser;
  let other: Server;
  beforeAll(async () => {
    browser = await openBrowser();
    other = createServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<!doctype html><title>other</title><body>other");
    });
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
  }, 60_000);
  afterAll(async () => {
    await browser?.close();
    other?.close();
  });

  // The same host on another port is the same site: there the cookie is sent along.
  test.each(["127.0.0.1", "localhost"])("at %s it reads nothing and changes nothing", async (host) => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(await fresh.link());
    expect(await page.evaluate(() => fetch("api/stats").then(({ status }) => status))).toBe(200);
    await page.goto(`http://${host}:${(other.address() as { port: number }).port}/`);
    const met = await page.evaluate(attack, `http://127.0.0.1:${port}/`);
    expect(met).toEqual({
      read: "refused",
      opaque: "refused",
      change: "refused",
      plainChange: "refused",
      deletion: "refused",
      beacon: expect.any(String),
      events: "refused",
      socket: "refused",
      image: "refused",
      script: "refused",
      frame: "refused",
    });
    await page.evaluate(submitForm, fresh.at("api/tasks/order-18/cancel"));
    await page.waitForLoadState();
    expect(await page.locator("body").textContent()).not.toContain("order");
    expect(await statusOf("order-18")).toBe("PENDING");
    await context.close();
  });
});

describe("S13, S30 one who asks too much", () => {
  test("enqueues 60,000 a minute, refused ones included; others go on", async () => {
    const flood = await fresh.dure("tokens", "create", "flood", "--role", "operator");
    const post = async (token: string, path: string, body: string) => {
      const headers = { ...json, authorization: `Bearer ${token}` };
      const answer = await ask(path, { method: "POST", headers, body });
      await answer.body?.cancel();
      return answer.status;
    };
    const refused = JSON.stringify({ type: "send-receipt", payload: {}, id: "\r\n" });
    const batch = `{"tasks":[${Array(1_000).fill(refused).join()}]}`;
    // A thousand come back each second.
    const told: number[] = [];
    while (told.at(-1) !== 429 && told.length < 300) told.push(await post(flood, "api/tasks/batch", batch));
    expect([told.slice(0, 60).every((status) => status === 400), told.at(-1)]).toEqual([true, 429]);
    const one = JSON.stringify({ type: "send-receipt", payload: {}, delay: "1h" });
    expect(await post(token, "api/tasks", one)).toBe(200);
  });

  test("guesses twenty tokens a minute, whoever he says he is, and keeps nobody out", async () => {
    const told: number[] = [];
    for (let n = 0; n < 25; n++) {
      const headers = { authorization: `Bearer wrong ${n}`, "x-forwarded-for": `192.0.2.${n}` };
      told.push((await ask("api/stats", { headers })).status);
    }
    expect(new Set(told.slice(20))).toEqual(new Set([429]));
    expect((await asAdmin("api/stats")).status).toBe(200);
    expect((await fetch(await fresh.link(), { redirect: "manual" })).status).toBe(303);
  });

  test("holds twenty live streams, and leaves the others theirs", async () => {
    const stop = new AbortController();
    // An answer that nothing refers to is given up by the garbage collector, and its connection with it.
    const held: Response[] = [];
    const open = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await ask("api/events", { headers, signal: stop.signal });
      held.push(answer);
      return answer.status;
    };
    const greedy = await fresh.dure("tokens", "create", "greedy");
    for (let n = 0; n < 20; n++) expect(await open(greedy)).toBe(200);
    expect(await open(greedy)).toBe(429);
    expect(await open(token)).toBe(200);
    stop.abort();
    expect(held).toHaveLength(22);
  });
});

test("what it printed holds its address once, and no secret", () => {
  expect(fresh.said).not.toContain(canary);
  expect(fresh.said).not.toContain(token);
  expect(fresh.said.split(fresh.url)).toHaveLength(2);
});
