/** The order in which people expect names: `type-2` before `type-10`. */
export const naturally = new Intl.Collator("en", { numeric: true }).compare;
