/** How errors of the API are told: in the reader's language, by what they say or by their code. */
import { ApiError } from "./api.ts";
import { useWords } from "./i18n/language.tsx";

export function useTelling(): (error: Error) => string {
  const words = useWords();
  return (error) => {
    if (!(error instanceof ApiError)) return error.message;
    return error.status === 0
      ? words.networkDown
      : words.refusal(error.code, error.message, issuesOf(error.details));
  };
}

/** What a schema of the program objects to, in the program's words. */
function issuesOf({ issues }: ApiError["details"]): string[] {
  return Array.isArray(issues) ? issues.filter((issue) => typeof issue === "string") : [];
}
