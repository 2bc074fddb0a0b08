/**
 * The one error type for everything a user can cause.
 * The command line prints `message` and `hint` as one sentence each and exits with code 1 (2 for a refusal);
 * any other exception is a fault of ours (exit code 3).
 */
export class IdapError extends Error {
  override readonly name = "IdapError";

  /**
   * @param code stable identifier, listed with its meaning in `errors.json`
   * @param message what we got and what we need, with the name of the file, node or option
   * @param hint the next step for the user
   */
  constructor(
    readonly code: string,
    message: string,
    readonly hint?: string,
  ) {
    super(message);
  }
}

/** Throws an internal error when an invariant of ours does not hold; never for user input. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`internal: ${message}`);
}
