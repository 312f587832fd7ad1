/**
 * A browser under LANG=C says that its language is `en-US@posix`, which is no language tag: uPlot, which takes it for its
 * numbers when it is loaded, throws, and no chart is drawn. Then English is as good.
 */
export function mendBrowserLanguage(): void {
  try {
    Intl.getCanonicalLocales(navigator.language);
  } catch {
    Object.defineProperty(navigator, "language", { value: "en-US" });
  }
}
