/** A certificate for a server of the tests, signed by itself; needs the program openssl. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";

/** An address of this machine that isn't its loopback, or undefined. */
export function networkAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

export function hasOpenssl(): boolean {
  return spawnSync("openssl", ["version"]).status === 0;
}

/** Makes `name.crt` and `name.key` in the folder, for an address. Answers the path of the first. */
export function makeCertificate(folder: string, name: string, address: string): string {
  const path = join(folder, `${name}.crt`);
  const { status, stderr } = spawnSync(
    "openssl",
    [
      ..."req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=dure-test".split(" "),
      ...["-addext", `subjectAltName=IP:${address}`],
      ...["-keyout", join(folder, `${name}.key`), "-out", path],
    ],
    { encoding: "utf8" },
  );
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  readFileSync(path);
  return path;
}
