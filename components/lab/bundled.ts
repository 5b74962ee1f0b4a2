/** Where the bundled model lies in the site. */
import { FileAttachment } from "observablehq:stdlib";
import type { Addresses } from "./delivery.js";

// Framework demands that every path is written out; loaders/lab/parts.ts cuts the weights into as many parts.
/** The texts that readers can check: records {id, text}. */
export const texts = FileAttachment("../../data/lab/texts.json").href;

export const bundledModel: Addresses = {
  description: FileAttachment("../../data/lab/model.json").href,
  parts: [
    FileAttachment("../../data/lab/weights/1.bin").href,
    FileAttachment("../../data/lab/weights/2.bin").href,
    FileAttachment("../../data/lab/weights/3.bin").href,
    FileAttachment("../../data/lab/weights/4.bin").href,
    FileAttachment("../../data/lab/weights/5.bin").href,
    FileAttachment("../../data/lab/weights/6.bin").href,
    FileAttachment("../../data/lab/weights/7.bin").href,
    FileAttachment("../../data/lab/weights/8.bin").href,
  ],
};
