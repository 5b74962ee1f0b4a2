/**
 * Something the user gave cannot be used: one sentence that names what was wrong, where, and what would be right.
 * The command line prints the sentence alone and exits with code 2; everything else that is thrown is a defect.
 */
export class UserError extends Error {
  override readonly name = "UserError";
}
