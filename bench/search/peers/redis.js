/** A Redis server of our own on a free port of the loopback, which keeps all in memory: only reads are measured. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import Redis from "ioredis";

export async function startRedis(folder) {
  const port = await freePort();
  const options = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "no"];
  const server = spawn("redis-server", [...options, "--save", ""], { stdio: "ignore" });
  process.on("exit", () => server.kill("SIGKILL"));
  await once(server, "spawn");
  const connection = { host: "127.0.0.1", port, maxRetriesPerRequest: null };
  const client = new Redis({ ...connection, retryStrategy: () => 20 });
  client.on("error", () => undefined);
  await client.ping();
  const close = async () => {
    client.disconnect();
    server.kill("SIGKILL");
    await once(server, "exit");
  };
  return { connection, client, close };
}

function freePort() {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
