/** The address that logs in. */
export function linkTo(host: string, port: number, secret: string): string {
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/?token=${secret}`;
}
