/** The address that logs in. */
export function linkTo(host: string, port: number, secret: string): string {
  const name = host === "localhost" ? "127.0.0.1" : host;
  return `http://${name.includes(":") ? `[${name}]` : name}${port === 0 ? "" : `:${port}`}/?token=${secret}`;
}
