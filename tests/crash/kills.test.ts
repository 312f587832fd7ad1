import { beforeAll, test, vi } from "vitest";
import { ensureBuilt } from "../support/cli.ts";
import { crashDatabases } from "../support/crash-databases.ts";
import { expectHarmlessKills } from "../support/harmless-kills.ts";

// It starts hundreds of processes, which takes a starved machine ten times as long.
vi.setConfig({ testTimeout: 300_000 });

beforeAll(ensureBuilt, 60_000);

test("random kills lose nothing, settle nothing twice, and delay a task by little", () =>
  expectHarmlessKills(crashDatabases.find(({ name }) => name === "SQLite")!));
