/** The statements as the server gets them: with the schema's name in them, and the name that each is prepared under. */
import { createHash } from "node:crypto";
import { inSchema, type Statement } from "../statement.ts";

/** So many different texts that are made for each call are prepared: of all, and of those that come first whatever they are. */
const shapesMax = 400;
const firstShapesMax = 200;
/** Further ones are prepared when they come again, among so many others. */
const metMax = 400;

export interface PreparedText {
  name: string;
  text: string;
}

export class PreparedTexts {
  readonly #schema: string;
  readonly #texts = new Map<Statement, PreparedText>();
  /** By their text; undefined until it is asked for again, so that a long one is not hashed each time. */
  readonly #shapes = new Map<string, PreparedText | undefined>();
  /** Those that came once. */
  readonly #met = new Set<string>();
  /** Numbers the prepared statements; see `startOver`. */
  #plans = 0;

  constructor(schema: string) {
    this.#schema = schema;
  }

  of(statement: Statement): PreparedText {
    const found = statement.once ? this.#shapes.get(statement.text) : this.#texts.get(statement);
    if (found) return found;
    const text = inSchema(statement.text, this.#schema);
    const made = { name: `${statement.name}:${this.#plans}:${digest(text)}`, text };
    // One that was made for one call would never be asked for again.
    if (!statement.once) this.#texts.set(statement, made);
    else if (this.#shapes.has(statement.text)) this.#shapes.set(statement.text, made);
    return made;
  }

  /** Whether it is to be prepared. A text that is made for each call is planned once then, not when it comes the first time and again. */
  isWorthIt({ once, isShape, text }: Statement): boolean {
    if (!once) return true;
    if (!isShape) return false;
    if (this.#shapes.has(text)) return true;
    if (this.#shapes.size >= shapesMax || !(this.#shapes.size < firstShapesMax || this.#cameAgain(text)))
      return false;
    this.#shapes.set(text, undefined);
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
    for (const text of this.#shapes.keys()) this.#shapes.set(text, undefined);
  }
}

/**
 * A pooler may hand out a connection on which another program prepared its statements: of another schema or release.
 * What has the same name must be the same text; of a name the server keeps 63 bytes.
 */
function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 16);
}
