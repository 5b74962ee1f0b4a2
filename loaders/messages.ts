/** Every sentence that the command line says when something is wrong: what, where, and what would be right. */
export const messages = {
  noFreePort: (host: string, from: number, to: number) =>
    `every port from ${from} to ${to} on ${host} is taken: give a free one with --port.`,
  portForbidden: (port: number) => `port ${port} needs more rights than this user has: give one above 1023 with --port.`,
  hostUnknown: (host: string) => `${host} is not an address of this machine: give one that is, or 0.0.0.0 for all.`,
  foreignRequest: "This preview answers only pages that it served itself, under an address of this machine.\n",
};
