/** The system's Chromium, installed where it is missing and can be. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import type { Browser } from "playwright-core";
import { findChromium, launchChromium } from "../../loaders/bench/chromium.js";
import type { Case } from "./cases.js";

/**
 * Pages of one site share a process, nothing is compiled twice (most of a visit's time was optimizing what ends), and
 * garbage is collected by one thread, because the others of the machine have their own tests.
 */
const frugal = ["--process-per-site", "--js-flags=--liftoff-only --no-turbofan --no-maglev --single-threaded-gc"];

const webgpu = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

const started = new Map<Case["gpu"], Promise<Browser>>();

/**
 * A browser for each kind of GPU that a case asks for, and for all test files of a process: starting one, and loading
 * there for the first time what all pages need, takes as long as three visits. It ends with the process.
 */
export async function openChromium(gpu: Case["gpu"] = "no WebGPU"): Promise<Browser> {
  const known = await started.get(gpu);
  if (known?.isConnected()) return known;
  const browser = launchChromium(gpu === "WebGPU" ? [...frugal, ...webgpu] : frugal);
  started.set(gpu, browser);
  return browser;
}

/** Installs Debian's Chromium where there is none and this process may; otherwise says what to do. */
export function ensureChromium(): void {
  if (findChromium()) return;
  if (process.getuid?.() === 0 && existsSync("/usr/bin/apt-get")) {
    console.error("There is no Chromium; installing Debian's.");
    for (const command of [["update"], ["install", "--yes", "--no-install-recommends", "chromium"]]) {
      spawnSync("apt-get", command, { stdio: "inherit", env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" } });
    }
  }
  if (!findChromium())
    throw new Error("The browser tests need Chromium: install it, or name its executable in CHROMIUM_PATH.");
}
