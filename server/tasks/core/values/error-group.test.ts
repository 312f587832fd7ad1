import { expect, test } from "vitest";
import { fingerprintsOf, groupNamed, isOfGroup, sharedPart } from "./error-group.ts";
import { withoutSecrets } from "./secret-text.ts";

const groups = (...messages: string[]) => [...new Set(fingerprintsOf(messages))];

test.each([
  ["order 17 is gone", "order … is gone"],
  ["connect ETIMEDOUT 10.0.0.1:443", "connect ETIMEDOUT …"],
  ['no file "a.txt" in `/srv/x`, nor “b” or ‘c’', "no file … in …, nor … or …"],
  ["task 0f8fad5b-d9cb-469f-a165-70867728950e is gone", "task … is gone"],
  ["task 01JQ4Z5M7N8P9QRSTVWXYZ0123 is gone", "task … is gone"],
  ["rate limit (request k3j9x2q)", "rate limit (request …)"],
  ["mailbox of anna.k+shop@mail.example.com is full", "mailbox of … is full"],
  ["can't read the user's file", "can't read the user's file"],
  ["예약 1234번을 찾을 수 없습니다", "예약 …번을 찾을 수 없습니다"],
])("what varies by itself is left out: %s", (message, fingerprint) => {
  expect(fingerprintsOf([message])).toEqual([fingerprint]);
});

test("codes at one place of messages that are otherwise the same are one group", () => {
  expect(
    groups(
      "MQT has arrivals only: no departure to report on.",
      "GFK has arrivals only: no departure to report on.",
      "YAK has arrivals only: no departure to report on.",
      "BGM has a single departure: it has no spread of delays.",
    ),
  ).toEqual([
    "… has arrivals only: no departure to report on.",
    "BGM has a single departure: it has no spread of delays.",
  ]);
});

test("so are many words at one place, and those beside places that vary by themselves", () => {
  const names = ["anna", "ben", "carl", "dora", "emil", "frida", "gus", "hans"];
  expect(groups(...names.map((name) => `user ${name} has no address`))).toEqual(["user … has no address"]);
  const requests = ["k3j9x2q", "abcdefg", "hijklmn", "opqrstu", "vwxyzab"];
  expect(groups(...requests.map((id) => `socket hang up (request ${id})`))).toEqual([
    "socket hang up (request …)",
  ]);
});

test("ids that are too short to be told by themselves differ among others", () => {
  const ids = ["k3j9x2q", "vc8td", "6z2m7", "i4cyl", "a0rt5", "9"];
  const messages = ids.map((id) => `connect ETIMEDOUT 10.0.0.1:443 (request ${id})`);
  const fingerprint = "connect ETIMEDOUT … (request …)";
  expect(groups(...messages)).toEqual([fingerprint]);
  expect(messages.every((message) => isOfGroup(message, fingerprint))).toBe(true);
});

test.each(["Loading… failed for order 123", "a width of 5' by 6' is too much"])(
  "a message and its fingerprint name the same group: %s",
  (message) => {
    for (const text of [message, ...fingerprintsOf([message])])
      expect(groupNamed(text).some((fingerprint) => isOfGroup(message, fingerprint))).toBe(true);
  },
);

test.each([
  "login failed: password=hunter, try again",
  "connect postgres://app:hunter@db/mail refused",
  "401 for Authorization: Bearer abcdefgh.ijkl",
])("a secret is among what differs, and the message as it is shown names the group: %s", (message) => {
  const [fingerprint = ""] = fingerprintsOf([message]);
  expect(fingerprint).toContain("…");
  expect(fingerprint).not.toMatch(/hunter|abcdefgh|redacted/);
  expect(message).toContain(sharedPart(fingerprint));
  for (const text of [message, fingerprint, withoutSecrets(message)])
    expect(
      groupNamed(text).some((named) => isOfGroup(message, named)),
      text,
    ).toBe(true);
});

test("names of faults and methods, and a few words, stay apart", () => {
  const faults = ["ETIMEDOUT", "ECONNREFUSED", "ECONNRESET", "EPIPE", "ENOENT"];
  const apart = [
    ...faults.map((fault) => `connect ${fault} by socket`),
    ...["SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR"].map((fault) => `write fails with ${fault}`),
    ...["GET", "POST", "PUT", "DELETE"].map((method) => `${method} was refused here`),
    ...["full", "gone", "locked"].map((state) => `mailbox is ${state}`),
    ...["DNS", "TLS"].map((what) => `${what} fails for the host`),
  ];
  expect(groups(...apart)).toEqual(apart);
});

test("a text made to be slow is not", { timeout: 2_000 }, () => {
  for (const text of ["a@".repeat(50_000), "'".repeat(100_000), "a.".repeat(50_000), "x ".repeat(50_000)])
    fingerprintsOf([text]);
});

test("a message is of the group whose fingerprint it gets, by itself and among others, and of no other", () => {
  const apart = [
    "MQT has arrivals only: no departure to report on.",
    "GFK has arrivals only: no departure to report on.",
    "YAK has arrivals only: no departure to report on.",
    "BGM has arrivals mostly: no departure to report on.",
    "connect ETIMEDOUT 10.0.0.1:443",
    "connect ECONNREFUSED 10.0.0.1:443",
    "connect ETIMEDOUT 10.0.0.2:443 again",
    "order 17 is gone",
    "order 18 is gone for good",
    "no file 'a b' here",
  ];
  const fingerprints = fingerprintsOf(apart);
  for (const [place, message] of apart.entries()) {
    for (const [other, fingerprint] of fingerprints.entries()) {
      const isSame = fingerprints[place] === fingerprints[other];
      expect([message, fingerprint, isOfGroup(message, fingerprint)]).toEqual([message, fingerprint, isSame]);
    }
  }
  expect(isOfGroup("SEA has arrivals only: no departure to report on.", fingerprints[0]!)).toBe(true);
  expect(isOfGroup("SEA has arrivals only: no departure to report.", fingerprints[0]!)).toBe(false);
});

test("a group is also named by a message of it", () => {
  expect(groupNamed("order 17 is gone")).toEqual(["order … is gone"]);
  expect(groupNamed("order … is gone")).toEqual(["order … is gone"]);
});

test("every message of a group has the shared part in it", () => {
  const message = "user 17 of 'x' has no address";
  const shared = sharedPart(fingerprintsOf([message])[0]!);
  expect(shared).toBe(" has no address");
  expect(message).toContain(shared);
});
