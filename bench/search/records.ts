/**
 * Tasks as a month of a busy service leaves them: twenty types of very different shares, three queues, every status,
 * bursts and quiet nights, retries, errors of a few kinds with changing details, payloads of 100 to 400 bytes in English
 * and Korean, attributes. The same numbers make the same tasks; only the instants follow the clock.
 */
import { ulidStart } from "../../server/tasks/core/ids.ts";
import type { AttemptRecord, TaskRecord } from "../../server/tasks/core/store.ts";
import { seeded } from "../../tests/support/seeded.ts";

export const dayMs = 86_400_000;
export const days = 30;
export const users = 100_000;
export const types = Array.from({ length: 20 }, (_, n) => `type-${n}`);
export const queues = ["default", "mail", "media"];
export const plans = ["free", "team", "enterprise"];
export const errors = [
  "connect ETIMEDOUT 10.0.0.1:443",
  "429 Too Many Requests: rate limit of the mail provider",
  "Unexpected token < in JSON at position 0",
  "결제 승인이 거절되었습니다",
  "socket hang up",
];

export type Mix = "history" | "waiting";

/**
 * The n-th of `count` tasks, oldest first. Those of `waiting` all wait as they were enqueued: with priorities from 0 to
 * 10, a third of them for an instant up to a month after they were created.
 */
export function recordOf(n: number, count: number, now: number, mix: Mix): TaskRecord {
  const random = seeded(n);
  const createdAt = Math.floor(now - days * dayMs + (days * dayMs * (n + random())) / count);
  const type = types[Math.floor(20 * random() ** 3)]!;
  const user = Math.floor(users * random() ** 2);
  const plan = plans[Math.floor(3 * random() ** 3)]!;
  const shared = {
    id: idOf(createdAt, n),
    type,
    queue: queues[Math.floor(3 * random() ** 4)]!,
    ownId: false,
    priority: random() < 0.05 ? 10 : 0,
    dueAt: createdAt,
    createdAt,
    maxAttempts: 3,
    snoozes: 0,
    crashes: 0,
    rerunAfterCrash: true,
    payload: { json: payloadOf(n, user, plan, random) },
    attributes: { userId: user, plan },
    ...(random() < 0.02 && { tags: '["vip"]' }),
  };
  const fresh = {
    ...shared,
    status: "PENDING" as const,
    updatedAt: createdAt,
    attempts: 0,
    fence: 0,
    version: 1,
    history: [],
  };
  if (mix === "waiting") {
    const delay = random() < 1 / 3 ? Math.floor(days * dayMs * random() ** 2) : 0;
    return { ...fresh, priority: Math.floor(11 * random() ** 2), dueAt: createdAt + delay };
  }
  const fate = random();
  if (fate < 0.02) return fresh;
  return { ...fresh, ...lived(fate, createdAt, random) };
}

function lived(fate: number, createdAt: number, random: () => number): Partial<TaskRecord> {
  const startedAt = createdAt + Math.floor(2_000 * random() ** 4);
  const runMs = Math.floor(20 + 60_000 * random() ** 8);
  const completedAt = startedAt + runMs;
  const common = {
    startedAt,
    completedAt,
    updatedAt: completedAt,
    workerId: `worker-${Math.floor(8 * random())}`,
  };
  const attempt = { fence: 1, number: 1, workerId: common.workerId, startedAt, endedAt: completedAt };
  if (fate < 0.9) {
    const result = { json: `{"rows":${Math.floor(1_000 * random())},"ok":true}` };
    return { ...common, status: "COMPLETED", attempts: 1, fence: 1, version: 3, result };
  }
  if (fate < 0.93) return { ...common, status: "CANCELLED", attempts: 1, fence: 1, version: 4 };
  const error = `${errors[Math.floor(5 * random() ** 2)]} (request ${Math.floor(1e9 * random()).toString(36)})`;
  const stack = `Error: ${error}\n    at send (file:///srv/mail.js:${Math.floor(90 * random())}:13)`;
  const failed: AttemptRecord = {
    ...attempt,
    outcome: "failed",
    error: JSON.stringify({ name: "Error", message: error, stack }),
  };
  return { ...common, status: "FAILED", attempts: 1, fence: 1, version: 3, error, history: [failed] };
}

function payloadOf(n: number, user: number, plan: string, random: () => number): string {
  const subject = random() < 0.2 ? `${n}번 주문 영수증` : `Receipt of order ${n}`;
  return JSON.stringify({
    user: { id: user, plan, email: `user${user}@example.com` },
    order: { number: n, amount: Math.floor(100_000 * random()), currency: random() < 0.3 ? "KRW" : "EUR" },
    subject,
    url: `https://example.com/orders/${n}/receipt.pdf`,
  });
}

const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A generated id of that instant, of which no other task has the same. */
function idOf(at: number, n: number): string {
  const tail = Array.from({ length: 8 }, (_, place) => digits[Math.floor(n / 32 ** (7 - place)) % 32]).join(
    "",
  );
  return `${ulidStart(at).slice(0, 10)}00000000${tail}`;
}
