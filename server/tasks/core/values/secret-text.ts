/** Secrets that stand in running text: passwords in addresses, credentials of headers, `password=…` and its like. */

/** Stands in the place of a secret. */
export const redactedText = "[redacted]";

/** What is found, and what stands before and after the secret in it. */
const secretTexts: readonly [found: RegExp, before: string, after: string][] = [
  [/(\b[a-z][a-z0-9+.-]{0,30}:\/\/[^\s:@/]{0,200}):[^\s@/]{1,500}@/gi, "$1:", "@"],
  [/\b(Bearer|Basic) +[\w.~+/=-]{8,}/g, "$1 ", ""],
  [/\b(passw(?:or)?d|secret|api[-_]?key|access[-_]?token)(["']?\s*[=:]\s*["']?)[^\s"',;&]+/gi, "$1$2", ""],
];

/** The text with something else in the place of each secret. */
export function withoutSecrets(text: string, instead: string = redactedText): string {
  return secretTexts.reduce(
    (shown, [found, before, after]) => shown.replace(found, `${before}${instead}${after}`),
    text,
  );
}
