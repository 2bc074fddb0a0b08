/** What our writer calls itself in `generatedBy`. */
export const PRODUCER = "idap";
