/** Errors: the latest failed tasks by what they say. */
import { errorsAnswer } from "../contract.ts";
import { failuresMax, readErrors } from "../error-groups.ts";
import { route } from "../route.ts";
import { sharedAnswer } from "../shared-answers.ts";

const keptMs = 2_000;

export const errorRoutes = [
  route({
    method: "GET",
    path: "errors",
    role: "viewer",
    needsPayloads: true,
    answer: errorsAnswer,
    summary: `The latest ${failuresMax} failed tasks, grouped by messages that say the same, each with its trend`,
    run: async ({ dure, documents }) => {
      const { errors, ...rest } = await sharedAnswer(dure, "errors", keptMs, () => readErrors(dure));
      return { ...rest, errors: errors.map((group) => documents.errorGroup(group)) };
    },
  }),
];
