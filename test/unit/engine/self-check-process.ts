/** Run by devices.test.ts: `node --import tsx self-check-process.ts DEVICE THREADS` exits with 0 where the device is right. */
import { selfCheck, tolerated } from "../../../engine/self-check.js";
import { openBackend } from "../../../loaders/devices.js";

const [device, threads] = process.argv.slice(2);
const error = await selfCheck(await openBackend(device, { threads: Number(threads) }));
process.exitCode = error < tolerated ? 0 : 1;
