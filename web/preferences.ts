/** Small choices kept in this browser. A browser that keeps nothing forgets them; nothing else depends on it. */
export type Preference = "language" | "theme" | "columns" | "phone-columns" | "shortcuts";

export function recall(name: Preference): string | undefined {
  try {
    return localStorage.getItem(`dure.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

export function remember(name: Preference, value: string): void {
  try {
    localStorage.setItem(`dure.${name}`, value);
  } catch {
    // Storage is off or full: the choice holds for this page.
  }
}
