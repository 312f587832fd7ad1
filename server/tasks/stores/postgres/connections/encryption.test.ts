import { expect, test } from "vitest";
import { isOpenToReaders, setEncryption } from "./encryption.ts";

const none = {};

function modeOf(url: string, environment: Record<string, string> = none): string | null {
  const parsed = new URL(url);
  setEncryption(parsed, environment);
  return parsed.searchParams.get("sslmode");
}

test.each([
  "postgres://db.example.com/app",
  "postgres://10.0.0.7:5432/app",
  "postgres://[fd00::2]/app",
  "postgres://db/app",
  "postgres://127.0.0.1.evil.example/app",
  "postgres:///app?host=db.example.com",
])("another machine must show its certificate: %s", (url) => {
  expect(modeOf(url)).toBe("verify-full");
});

test.each([
  "postgres://localhost/app",
  "postgres://me:pw@127.0.0.1:5433/app",
  "postgres://[::1]/app",
  "postgres:///app",
  "postgres:///app?host=/var/run/postgresql",
  "postgres://%2Fvar%2Frun%2Fpostgresql/app",
])("this machine need not: %s", (url) => {
  expect(modeOf(url)).toBeNull();
  expect(isOpenToReaders(new URL(url), { PGSSLMODE: "disable" })).toBe(false);
});

test("what the string or the environment says, holds", () => {
  expect(modeOf("postgres://db/app?sslmode=disable")).toBe("disable");
  expect(modeOf("postgres://db/app?sslmode=no-verify")).toBe("no-verify");
  expect(modeOf("postgres://db/app?ssl=0")).toBeNull();
  expect(modeOf("postgres://db/app", { PGSSLMODE: "disable" })).toBeNull();
  expect(modeOf("postgres:///app", { PGHOST: "db" })).toBe("verify-full");
});

test("a mode that the driver takes for verify-full is that for good; libpq's meaning is to be asked for", () => {
  for (const mode of ["prefer", "require", "verify-ca"]) {
    expect(modeOf(`postgres://db/app?sslmode=${mode}`)).toBe("verify-full");
    expect(modeOf(`postgres://db/app?sslmode=${mode}&uselibpqcompat=true`)).toBe(mode);
  }
});

test("a connection that others can read is known as such", () => {
  const open = (url: string, environment = {}) => isOpenToReaders(new URL(url), environment);
  expect(open("postgres://db/app")).toBe(false);
  expect(open("postgres://db/app?sslmode=no-verify")).toBe(false);
  expect(open("postgres://db/app?sslmode=disable")).toBe(true);
  expect(open("postgres://db/app?ssl=false")).toBe(true);
  expect(open("postgres://db/app", { PGSSLMODE: "disable" })).toBe(true);
});
