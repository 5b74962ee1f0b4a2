/**
 * Something that the work needs and that is not ours is not to be had now: a network, a server, room on a disk. One
 * sentence that names what, where, and what to do; trying again later may work.
 */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}
