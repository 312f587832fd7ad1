/** What the doctor says of a PostgreSQL server, word for word: each finding names its cause and the next step (F151). */
import { expect, test } from "vitest";
import type { Database } from "./connections/database.ts";
import { serverFindings } from "./server-health.ts";

/** The rows that a server would answer, by statement. */
interface Server {
  version?: string;
  isStandby?: boolean;
  synchronous?: string;
  fsync?: string;
  autovacuum?: string;
  user?: string;
  isSuperuser?: boolean;
  mayRun?: boolean;
  mayEnqueue?: boolean;
  seesAll?: boolean;
  used?: number;
  unencrypted?: string[];
  held?: unknown[][];
  tables?: unknown[][];
}

const sound: Required<Server> = {
  version: "18.1",
  isStandby: false,
  synchronous: "on",
  fsync: "on",
  autovacuum: "on",
  user: "shop",
  isSuperuser: false,
  mayRun: true,
  mayEnqueue: true,
  seesAll: true,
  used: 12,
  unencrypted: [],
  held: [],
  tables: [["tasks", 400_000, 150_000, false]],
};

/** As `dure doctor` prints them. */
async function said(server: Server, skewMs = 0): Promise<string[]> {
  const { unencrypted, held, tables, used, ...facts } = { ...sound, ...server };
  const answers: Record<string, unknown[][]> = {
    serverState: [[...Object.values(facts), used, 97]],
    openForLong: held,
    deadRows: tables,
  };
  const database = {
    location: { schema: "dure", unencrypted },
    read: async ({ name }: { name: string }) => answers[name],
  } as unknown as Database;
  const findings = await serverFindings(database, skewMs);
  return findings.map(({ level, check, message, next }) =>
    [`${level} ${check}: ${message}`, next].filter(Boolean).join(" -> "),
  );
}

const wholly = await said({});
/** Only what differs from a sound server. */
const saidOf = async (server: Server, skewMs?: number) =>
  (await said(server, skewMs)).filter((line) => !wholly.includes(line));

test("of a sound server", () => {
  expect(wholly).toEqual([
    "ok server: PostgreSQL 18.1 takes writes and keeps what it acknowledges.",
    "ok rights: The user shop may run tasks.",
    "ok clock: The clocks of this machine and the server agree.",
    "ok connections: 12 of the server's 97 connections are in use.",
    "ok transactions: No transaction is held open for long.",
    "ok vacuum: Autovacuum keeps up.",
  ]);
});

test.each<[string, Server, string[]]>([
  [
    "a standby",
    { isStandby: true },
    [
      "error server: PostgreSQL 18.1 is a standby: it takes no writes. -> Name the primary in the connection string, or all hosts: postgres://a,b/…",
    ],
  ],
  [
    "one that acknowledges before the disk has it",
    { synchronous: "off" },
    [
      "warning server: PostgreSQL 18.1 has synchronous_commit off: a crash of the server loses the last tasks it acknowledged. -> Set synchronous_commit = on, unless that is meant.",
    ],
  ],
  [
    "one that never asks the disk",
    { synchronous: "off", fsync: "off" },
    [
      "warning server: PostgreSQL 18.1 has fsync and synchronous_commit off: a crash of the server loses the last tasks it acknowledged, or damages all. -> Set fsync = on and synchronous_commit = on, unless that is meant.",
    ],
  ],
  [
    "a superuser",
    { user: "postgres", isSuperuser: true },
    [
      "warning rights: The user postgres is a superuser, which no program of Dure needs to be. -> Let programs sign in as a user of their own: dure migrate --grants <role> --as worker (schema dure).",
    ],
  ],
  [
    "a client's role",
    { mayRun: false },
    ["ok rights: The user shop may enqueue, change and search tasks, but run none."],
  ],
  [
    "a reader's role, which sees no others",
    { mayRun: false, mayEnqueue: false, seesAll: false },
    [
      "ok rights: The user shop may search tasks, but change none.",
      "ok transactions: No transaction of shop is held open for long; those of others cannot be seen by this user. -> GRANT pg_read_all_stats TO shop; then all are looked at.",
    ],
  ],
  [
    "plain text on the network",
    { unencrypted: ["db.example:5432"] },
    [
      "warning encryption: What goes to db.example:5432 is not encrypted, payloads and passwords included. -> Take sslmode=disable out of the connection string, unless nobody else can read the network.",
    ],
  ],
  [
    "no connections left",
    { used: 90 },
    [
      "warning connections: 90 of the server's 97 connections are in use. -> Raise max_connections, lower pool_size, or put a pooler between.",
    ],
  ],
  [
    "a session, a prepared transaction and a slot that hold everything up",
    {
      held: [
        ["session", "4711", "billing", "shop", "idle in transaction", 12 * 60_000],
        ["session", "4712", "", "shop", "active", 80_000],
        ["prepared", "transfer-17", null, "bank", null, 90 * 60_000],
        ["slot", "replica_2", null, null, null, null],
      ],
    },
    [
      "warning transactions: A transaction of billing (user shop, process 4711, idle in transaction) has been open for 12 minutes: until it ends no row that was changed since can be cleaned away, and claims slow down. -> End it there, or: SELECT pg_terminate_backend(4711); and set idle_in_transaction_session_timeout.",
      "warning transactions: A transaction of an unnamed program (user shop, process 4712, active) has been open for a minute: until it ends no row that was changed since can be cleaned away, and claims slow down. -> End it there, or: SELECT pg_terminate_backend(4712); and set idle_in_transaction_session_timeout.",
      `warning transactions: A prepared transaction "transfer-17" of bank has been open for 90 minutes: until it ends no row that was changed since can be cleaned away, and claims slow down. -> COMMIT PREPARED 'transfer-17' or ROLLBACK PREPARED 'transfer-17', as its owner.`,
      `warning transactions: The replication slot "replica_2" is held back: until it ends no row that was changed since can be cleaned away, and claims slow down. -> Bring its reader back, or: SELECT pg_drop_replication_slot('replica_2');`,
    ],
  ],
  [
    "no autovacuum",
    { autovacuum: "off" },
    ["warning vacuum: Autovacuum is off: old rows pile up, and claims slow down. -> Turn it on."],
  ],
  [
    "no autovacuum of a table",
    { tables: [["tasks", 400_000, 0, true]] },
    ["warning vacuum: Autovacuum is off for tasks: old rows pile up, and claims slow down. -> Turn it on."],
  ],
  [
    "autovacuum that does not keep up",
    { tables: [["tasks", 200_000, 1_150_000, false]] },
    [
      "warning vacuum: tasks has 1,150,000 dead rows beside 200,000 live ones. -> Look for old transactions above; or give autovacuum more to work with (autovacuum_vacuum_cost_limit).",
    ],
  ],
])("of %s", async (_, server, lines) => {
  expect(await saidOf(server)).toEqual(lines);
});

test("of clocks that differ", async () => {
  expect(await saidOf({}, 61_000)).toEqual([
    "warning clock: This machine's clock is 61 s behind the server's, whose clock decides. -> Let the machines set their clocks by NTP.",
  ]);
  expect(await saidOf({}, -6_000)).toEqual([
    "warning clock: This machine's clock is 6 s ahead of the server's, whose clock decides. -> Let the machines set their clocks by NTP.",
  ]);
});
