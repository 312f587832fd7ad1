/** The statements as the server gets them: with the schema's name in them, and the name that each is prepared under. */
import { createHash } from "node:crypto";
import { inSchema, type Statement } from "../statement.ts";

/** So many different texts that are made for each call are prepared: of all, and of those that come first whatever they are. */
const shapesMax = 400;
const firstShapesMax = 200;
/** Further ones are prepared when they come again, among so many others. */
const metMax = 400;

export class PreparedTexts {
  readonly #schema: string;
  readonly #texts = new Map<Statement, { name: string; text: string }>();
  readonly #shapes = new Set<string>();
  /** Those that came once. */
  readonly #met = new Set<string>();
  /** Numbers the prepared statements; see `startOver`. */
  #plans = 0;

  constructor(schema: string) {
    this.#schema = schema;
  }

  of(statement: Statement): { name: string; text: string } {
    let found = this.#texts.get(statement);
    if (!found) {
      const text = inSchema(statement.text, this.#schema);
      found = { name: `${statement.name}:${this.#plans}:${digest(text)}`, text };
      // One that was made for one call would never be asked for again.
      if (!statement.once) this.#texts.set(statement, found);
    }
    return found;
  }

  /** Whether it is to be prepared. A text that is made for each call is planned once then, not when it comes the first time and again. */
  isWorthIt({ once, isShape, text }: Statement): boolean {
    if (!once) return true;
    if (!isShape) return false;
    if (this.#shapes.has(text)) return true;
    if (this.#shapes.size >= shapesMax || !(this.#shapes.size < firstShapesMax || this.#cameAgain(text)))
      return false;
    this.#shapes.add(text);
    return true;
  }

  #cameAgain(text: string): boolean {
    if (this.#met.delete(text)) return true;
    if (this.#met.size >= metMax) this.#met.clear();
    this.#met.add(text);
    return false;
  }

  /** Everything gets a plan of its own from now on. */
  startOver(): void {
    this.#plans += 1;
    this.#texts.clear();
  }
}

/**
 * A pooler may hand out a connection on which another program prepared its statements: of another schema or release.
 * What has the same name must be the same text; of a name the server keeps 63 bytes.
 */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
