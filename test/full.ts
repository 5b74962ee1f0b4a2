/** Whether the suite runs whole (`npm run test:full`): cases that repeat a path with other input are left to it. */
export const full = Boolean(process.env.OBSERVATORY_FULL);
