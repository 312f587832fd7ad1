import { expect, test, vi } from "vitest";
import { parseLocation } from "./location.ts";

test("the store's own options are read and taken out; the rest is the driver's", () => {
  const location = parseLocation(
    "postgres://me:secret@db.example.com:5433/app?schema=jobs&pool_size=20&listen=off&prepare=on&sslmode=require",
  );
  expect(location).toEqual({
    shown: "postgres://db.example.com:5433/app (schema jobs)",
    connectionStrings: ["postgres://me:secret@db.example.com:5433/app?sslmode=verify-full"],
    unencrypted: [],
    schema: "jobs",
    poolSize: 20,
    listen: false,
    prepare: "on",
  });
});

test("without options: schema dure, ten connections, notifications, prepared statements until a pooler refuses them", () => {
  expect(parseLocation("postgresql://localhost/app")).toMatchObject({
    shown: "postgres://localhost/app",
    schema: "dure",
    poolSize: 10,
    listen: true,
    prepare: "auto",
  });
});

test("several hosts share user, database and options", () => {
  const { connectionStrings, shown } = parseLocation(
    "postgres://me:pw@a:5432,b:5433/app?target_session_attrs=read-write",
  );
  expect(connectionStrings).toEqual([
    "postgres://me:pw@a:5432/app?sslmode=verify-full",
    "postgres://me:pw@b:5433/app?sslmode=verify-full",
  ]);
  expect(shown).toBe("postgres://a:5432,b:5433/app");
});

test("a socket's folder stands where the driver looks for it", () => {
  const [string] = parseLocation("postgres:///app?host=/var/run/postgresql").connectionStrings;
  expect(new URL(string!).searchParams.get("host")).toBe("/var/run/postgresql");
});

test.each([
  ["postgres://localhost/app?pool_size=0", /pool_size is "0"; expected a whole number from 2 to 1000/],
  ["postgres://localhost/app?pool_size=many", /pool_size/],
  ["postgres://localhost/app?listen=maybe", /listen is "maybe"; expected on or off/],
  ["postgres://localhost/app?schema=", /schema must be a name of 1 to 63 bytes/],
  ["postgres://localhost/app?schema=a:schema", /schema must not hold ":schema"/],
  [`postgres://localhost/app?schema=${"긴".repeat(22)}`, /63 bytes/],
  ["postgres://localhost/app?poolsize=3", /no option "poolsize"; did you mean "pool_size"/],
  ["postgres://localhost/app?shema=jobs", /did you mean "schema"/],
  ["postgres://db/app?sslmode=verifyfull", /sslmode is "verifyfull"; expected disable, .*or no-verify/],
  ["postgres://db/app?sslmode=disable", /to db would be encrypted, .*add unencrypted=allow/],
  ["postgres://localhost,me.example/app?ssl=false", /to me\.example would be encrypted/],
  ["postgres://db/app?unencrypted=yes", /unencrypted is "yes"; expected allow or refuse/],
  ["mysql://localhost/app", /expected postgres:/],
  ["postgres://me:sec@ret@local host/app", /%40/],
])("%s is refused", (url, message) => {
  const parse = () => parseLocation(url);
  expect(parse).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
  expect(parse).toThrow(message);
});

test("what is not encrypted on its way to another machine must be allowed; this machine needs no leave", () => {
  const allowed = parseLocation("postgres://db/app?sslmode=disable&unencrypted=allow");
  expect(allowed.unencrypted).toEqual(["db"]);
  expect(allowed.connectionStrings).toEqual(["postgres://db/app?sslmode=disable"]);
  for (const own of ["localhost", "127.0.0.1:5433", "[::1]", "%2Ftmp"])
    expect(parseLocation(`postgres://${own}/app?sslmode=disable`).unencrypted).toEqual([]);
});

test("the environment does not say so for the string", () => {
  vi.stubEnv("PGSSLMODE", "disable");
  try {
    expect(() => parseLocation("postgres://db/app")).toThrow(/unencrypted=allow/);
    expect(parseLocation("postgres:///app").unencrypted).toEqual([]);
  } finally {
    vi.unstubAllEnvs();
  }
});

test("no message and no shown name holds a password", () => {
  for (const url of ["postgres://me:secret@x:y/app", "postgres://me:secret@h/app?pool_size=x"]) {
    expect(() => parseLocation(url)).toThrow(expect.not.objectContaining({ message: /secret/ }));
  }
  expect(parseLocation("postgres://me:secret@h/app").shown).not.toContain("secret");
});
