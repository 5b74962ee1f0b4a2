/** Runs one piece of work at a time; of what is asked for meanwhile only the newest is done after it. */
export class Latest {
  #running = false;
  #next: (() => Promise<void>) | undefined;

  async do(work: () => Promise<void>): Promise<void> {
    this.#next = work;
    if (this.#running) return;
    this.#running = true;
    try {
      while (this.#next) {
        const next = this.#next;
        this.#next = undefined;
        await next();
      }
    } finally {
      this.#running = false;
    }
  }
}
