/** S25: other machines are asked for encryption and a certificate that holds, by workers' threads and handlers too. */
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createDure, type Dure } from "../../server/dure.ts";
import { hasOpenssl, makeCertificate, networkAddress } from "../support/certificate.ts";
import { giveTo, postgresBinaries } from "../support/postgres-binaries.ts";
import { PostgresServer } from "../support/postgres-server.ts";

vi.setConfig({ testTimeout: 60_000 });

const address = networkAddress();

describe.skipIf(!address || !hasOpenssl())("a server on the network (needs openssl and an address)", () => {
  let server: PostgresServer;
  let folder: string;
  let ownCertificate: string;
  let otherCertificate: string;
  const dures: Dure[] = [];

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dure-certificates-"));
    ownCertificate = makeCertificate(folder, "own", address!);
    otherCertificate = makeCertificate(folder, "other", "192.0.2.99");
    giveTo(folder, postgresBinaries().user);
    chmodSync(join(folder, "own.key"), 0o600);
    chmodSync(join(folder, "other.key"), 0o600);
    chmodSync(folder, 0o755);
    server = await PostgresServer.start({ settings: { listen_addresses: "*" } });
    await server.setAccess(["host all all 0.0.0.0/0 trust"]);
  });
  afterAll(async () => {
    await server.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  function open(parameters = ""): Dure {
    const database = `postgres://postgres@${address}:${server.port}/postgres${parameters}`;
    const dure = createDure({ database, logger: { info() {}, warn() {}, error() {} } });
    dures.push(dure);
    return dure;
  }

  async function closeAll(): Promise<void> {
    for (const dure of dures.splice(0)) await dure.close();
  }

  test("one without encryption is refused, with what to do, unless the string says that it may be", async () => {
    await expect(open().countTasks()).rejects.toMatchObject({
      code: "DATABASE_UNAVAILABLE",
      message: expect.stringMatching(/does not support SSL.*sslmode=disable&unencrypted=allow/),
    });
    await expect(open("?sslmode=disable").countTasks()).rejects.toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining("unencrypted=allow"),
    });
    const plain = open("?sslmode=disable&unencrypted=allow");
    expect(await plain.countTasks()).toBe(0);
    const findings = await plain.checkHealth();
    expect(findings.find(({ check }) => check === "encryption")).toMatchObject({
      level: "warning",
      message: expect.stringContaining(`${address}:${server.port} is not encrypted`),
    });
    await closeAll();
  });

  test("one whose certificate nobody vouches for, or that is another's, is refused", async () => {
    await encrypt("own");
    for (const parameters of ["", "?sslmode=require"]) {
      await expect(open(parameters).countTasks()).rejects.toMatchObject({
        code: "DATABASE_UNAVAILABLE",
        message: expect.stringMatching(/certificate.*sslrootcert/),
      });
    }
    await encrypt("other");
    await expect(open(`?sslrootcert=${otherCertificate}`).countTasks()).rejects.toMatchObject({
      message: expect.stringMatching(/altnames.*as its certificate does/),
    });
    await expect(open("?sslrootcert=/nowhere.crt").countTasks()).rejects.toMatchObject({
      message: expect.stringMatching(/Check sslrootcert/),
    });
    expect(await open("?sslmode=no-verify").countTasks()).toBe(0);
    await closeAll();
  });

  test("through one that holds, tasks run, and every connection is encrypted", async () => {
    await encrypt("own");
    const dure = open(`?sslrootcert=${ownCertificate}`);
    const charge = dure.defineTask("charge-account", async (_task, context) => {
      const client = await context.tx();
      const { rows } = await client.query("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");
      return rows[0].ssl;
    });
    await dure.start();
    expect(await charge.run({})).toBe(true);
    const connections = await server.query(
      "SELECT ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE application_name = 'dure'",
    );
    expect(connections.length).toBeGreaterThan(2);
    expect(connections.every(({ ssl }) => ssl)).toBe(true);
    await closeAll();
  });

  function encrypt(name: string): Promise<void> {
    return server.set({
      ssl_cert_file: join(folder, `${name}.crt`),
      ssl_key_file: join(folder, `${name}.key`),
      ssl: "on",
    });
  }
});
