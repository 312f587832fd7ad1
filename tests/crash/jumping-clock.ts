/** Lets the machine's clock be set inside this process alone. Import it before everything that reads the time. */
const machineNow = Date.now;
let jumpedMs = 0;

Date.now = () => machineNow() + jumpedMs;

/** The clock shows this much more than the machine's from now on. */
export function jumpTo(ms: number): void {
  jumpedMs = ms;
}
