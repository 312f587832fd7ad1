/** Whether notifications arrive: a pooler in transaction mode takes LISTEN, and then nobody hears anything. */
import type { HealthFinding } from "../../../core/store.ts";
import type { Database } from "../connections/database.ts";
import { quoted } from "../statement.ts";
import { channelOf, notify } from "./notifier.ts";

const waitMs = 2_000;

/** @param known what the lease thread has found out, where there is one */
export async function listeningFinding(
  database: Database,
  known: boolean | undefined,
): Promise<HealthFinding> {
  const check = "notifications";
  if (!database.location.listen) {
    return {
      level: "ok",
      check,
      message: "Workers find new tasks by asking; the connection string has listen=off.",
    };
  }
  if (known ?? (await hears(database))) {
    return { level: "ok", check, message: "Workers hear of new tasks at once." };
  }
  return {
    level: "warning",
    check,
    message:
      "Notifications do not arrive here, so workers find new tasks by asking, up to two seconds later.",
    next: "Connect to the server itself rather than to a pooler in transaction mode, or add listen=off to have it so.",
  };
}

/** Tells itself something, and listens for it. */
async function hears(database: Database): Promise<boolean> {
  const client = database.dedicated({ query_timeout: waitMs });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const channel = channelOf(database.location.schema);
    const heard = new Promise<boolean>((resolve) => {
      client.on("notification", () => resolve(true));
      setTimeout(() => resolve(false), waitMs).unref();
    });
    await client.query(`LISTEN ${quoted(channel)}`);
    // On another connection: a pooler may hand this one what it notified itself.
    await database.query(notify, [channel, "doctor check"]);
    return await heard;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => undefined);
  }
}
